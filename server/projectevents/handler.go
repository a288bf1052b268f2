package projectevents

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/following"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/server/sse"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// Times of a stream.
const (
	pingInterval = 15 * time.Second
	bodyTimeout  = 10 * time.Second
)

// An Opener opens streams of events.
type Opener interface {
	// OpenProjectEvents opens a stream for the caller in ctx. Errors are
	// *hark.Error: NOT_FOUND, FORBIDDEN with Details (action, subject,
	// conditions), BAD_USER_INPUT whose Field is a path such as
	// "register.0.event", and CURSOR_EXPIRED when After is behind the retention window.
	OpenProjectEvents(ctx context.Context, r Request) (Reader, error)
}

// A Reader yields the events of a stream one by one. *stream.Reader is one.
type Reader interface {
	// TryNext gives the next event, if it is there; if not, what OnWake has set
	// is called when it may be. CURSOR_EXPIRED: retention overtook the reader.
	TryNext() (*hark.Event, bool, error)
	OnWake(func())
	// Class is comparable: readers of one class may see the same.
	Class() any
	// Cursor is where the stream is: behind all that TryNext has looked at, or
	// where it began.
	Cursor() hark.Cursor
	Close()
}

// A Handler answers POST /api/v1/events/subscribe/project-events.
type Handler struct {
	opener   Opener
	access   authority.Access
	log      *slog.Logger
	groups   *stream.Groups
	audience *audience.Audience
	poller   *socket.Poller
}

// New makes a Handler, whose streams end when the audience goes home.
func New(o Opener, g *stream.Groups, a authority.Access, au *audience.Audience, p *socket.Poller, log *slog.Logger) *Handler {
	return &Handler{opener: o, groups: g, access: a, audience: au, poller: p, log: log}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, err := authority.Authenticate(r, h.access)
	var viewer *hark.Viewer
	if err == nil {
		viewer, err = hark.ViewerFrom(r.Context())
	}
	if err != nil {
		wire.WriteError(w, r, h.log, err)
		return
	}
	raw, err := read(w, r)
	if err != nil {
		wire.WriteError(w, r, h.log, err)
		return
	}
	req, issues := parse(raw)
	if len(issues) > 0 {
		wire.Unprocessable(w, r, issues)
		return
	}
	req.After = r.Header.Get("Last-Event-ID")
	reader, gap, err := h.open(r.Context(), req)
	if err != nil {
		wire.WriteError(w, r, h.log, err)
		return
	}
	seat, err := h.enter(viewer, reader.Cursor().Project)
	if err != nil {
		reader.Close()
		wire.WriteError(w, r, h.log, err)
		return
	}
	s := &events{Handler: h, request: req, first: reader, gap: gap, Response: socket.Open(w, r, h.poller, sse.Media)}
	ctx, cancel := context.WithCancel(wire.Outlive(r.Context()))
	s.cancel = cancel
	session := authority.NewSession(h.access, viewer)
	s.following = following.New(session, h.groups, s)
	session.Keep(ctx, func(why error) { s.following.End(ctx, why) })
	seat.OnDrain(func() { s.following.End(ctx, stream.ErrDraining) })
	s.following.Run(ctx, s, "") // the first beginning waits for nothing
	s.Serve(func() {
		session.Close()
		cancel()
		s.following.Stop()
		if s.first != nil { // the session had ended before
			s.first.Close()
		}
		seat.Leave()
	})
}

// enter takes a seat for a caller in a project.
func (h *Handler) enter(v *hark.Viewer, project hark.ID) (*audience.Seat, error) {
	seat, err := h.audience.Enter()
	if err != nil {
		return nil, err
	}
	if err = seat.Identity(v.IdentityID); err == nil {
		err = seat.Project(project)
	}
	if err != nil {
		seat.Leave()
		return nil, err
	}
	return seat, nil
}

func read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(bodyTimeout)) // without one the server's limits still hold
	defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		return raw, nil
	}
	if _, ok := err.(*http.MaxBytesError); ok {
		return nil, err
	}
	return nil, hark.BadInput("", "the body did not arrive")
}

// open opens a stream; gap tells that the log no longer reaches back to where it was wanted from.
func (h *Handler) open(ctx context.Context, req Request) (r Reader, gap bool, err error) {
	r, err = h.opener.OpenProjectEvents(ctx, req)
	if err != nil && req.After != "" && wire.Classify(err).Code == hark.CursorExpired {
		req.After, gap = "", true
		r, err = h.opener.OpenProjectEvents(ctx, req)
	}
	if e, ok := errors.AsType[*hark.Error](err); ok && e.Field == "after" {
		located := *e
		located.Field = "Last-Event-ID"
		err = &located
	}
	return r, gap, err
}
