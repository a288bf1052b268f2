package projectevents

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
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
	// Next waits for the next event. When ctx ends first it takes none and
	// returns the context's error. CURSOR_EXPIRED: retention overtook the reader.
	Next(ctx context.Context) (*hark.Event, error)
	// Cursor is where the stream is: behind all that Next has looked at, or
	// where it began.
	Cursor() hark.Cursor
	Close()
}

// A Handler answers POST /api/v1/events/subscribe/project-events.
type Handler struct {
	opener Opener
	access authority.Access
	log    *slog.Logger
	drain  <-chan struct{}
}

// New makes a Handler, whose streams end when drain is closed.
func New(o Opener, a authority.Access, log *slog.Logger, drain <-chan struct{}) *Handler {
	return &Handler{opener: o, access: a, log: log, drain: drain}
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
	s := &events{Handler: h, w: sse.Start(w), request: req, reader: reader}
	s.serve(r.Context(), authority.NewSession(h.access, viewer), gap)
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
	return r, gap, err
}

// events is one stream.
type events struct {
	*Handler
	w       *sse.Writer
	request Request
	reader  Reader
}

// serve writes events until the client goes, its authority ends or hark drains.
func (s *events) serve(ctx context.Context, session *authority.Session, gap bool) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	defer func() { s.reader.Close() }()
	running.Go(func() { s.w.Beat(ctx, pingInterval, "event: ping\n\n", cancel) })
	running.Go(func() { _ = session.Run(ctx) }) // Current tells its error
	running.Go(func() {
		select {
		case <-s.drain:
			cancel()
		case <-ctx.Done():
		}
	})
	if gap && s.gap() != nil {
		return
	}
	err := s.pump(ctx, session)
	if err == nil || ctx.Err() != nil || errors.Is(err, stream.ErrDraining) {
		return
	}
	e := wire.Classify(err)
	wire.LogInternal(ctx, s.log, e)
	message := append(append([]byte(`{"message":`), quote(e.Message)...), '}')
	_ = s.w.Write(sse.AppendFrame(nil, "", "error", message)) // the last frame: who is gone needs no word
}

// pump writes events for as long as the caller may have them, and tells why it
// stopped. When what the caller may see changes, the stream is opened anew
// where it was.
func (s *events) pump(ctx context.Context, session *authority.Session) error {
	for {
		viewer, changed, err := session.Current()
		if err != nil {
			return err
		}
		wait, interrupt := context.WithCancel(hark.WithViewer(ctx, viewer))
		stop := context.AfterFunc(changed, interrupt)
		err = s.write(wait)
		stop()
		interrupt()
		if ctx.Err() != nil || changed.Err() == nil {
			return err
		}
		if err := s.reopen(ctx, session); err != nil {
			return err
		}
	}
}

// write writes events until wait ends or something fails.
func (s *events) write(wait context.Context) error {
	for {
		e, err := s.reader.Next(wait)
		if err != nil && wait.Err() == nil && wire.Classify(err).Code == hark.CursorExpired {
			if err := s.gap(); err != nil {
				return err
			}
			s.request.After = ""
			if err := s.replace(wait); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := s.w.Write(frames(e)); err != nil {
			return err
		}
	}
}

// reopen opens the stream for the caller as it is now.
func (s *events) reopen(ctx context.Context, session *authority.Session) error {
	viewer, _, err := session.Current()
	if err != nil {
		return err
	}
	s.request.After = s.reader.Cursor().String()
	return s.replace(hark.WithViewer(ctx, viewer))
}

func (s *events) replace(ctx context.Context) error {
	reader, gap, err := s.open(ctx, s.request)
	if err != nil {
		return err
	}
	s.reader.Close()
	s.reader = reader
	if gap {
		return s.gap()
	}
	return nil
}

// gap tells that events are missing from here on: the log does not reach back far enough.
func (s *events) gap() error {
	return s.w.Write([]byte("event: gap\ndata: {\"message\":\"events before this point are no longer kept\"}\n\n"))
}
