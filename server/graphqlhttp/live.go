package graphqlhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/following"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// heartbeat is how often a sign of life is sent.
const heartbeat = 15 * time.Second

// A live is a subscription that is answered by a response of its own.
type live struct {
	*Handler
	*socket.Response
	form      form
	following *following.Following
	cancel    context.CancelFunc // ends all that is done for it
	begun     bool               // under the following's care, as all that it calls
}

var _ following.Out = (*live)(nil)

// stream answers op with a stream. When hark drains it ends without an end, so
// that the client comes back with Last-Event-ID.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, accept accepted, op *operation.Operation) {
	v, err := hark.ViewerFrom(r.Context())
	var seat *audience.Seat
	if err == nil {
		seat, err = h.enter(v)
	}
	if err != nil {
		h.refuse(w, r, accepted{json: typeResponse}, err)
		return
	}
	l := &live{Handler: h, form: accept.form, Response: socket.Open(w, r, h.poller, accept.form.media())}
	ctx, cancel := lasting(r)
	l.cancel = cancel
	session := authority.NewSession(h.access, v)
	l.following = following.New(session, h.groups, l)
	session.Keep(ctx, func(why error) { l.following.End(ctx, why) })
	seat.OnDrain(func() { l.following.End(ctx, stream.ErrDraining) })
	go l.following.Run(ctx, op.Source(), r.Header.Get("Last-Event-ID"))
	l.Serve(func() {
		session.Close()
		cancel()
		l.following.Stop()
		seat.Leave()
	})
}

// enter takes a seat for a caller.
func (h *Handler) enter(v *hark.Viewer) (*audience.Seat, error) {
	seat, err := h.audience.Enter()
	if err != nil {
		return nil, err
	}
	if err := seat.Identity(v.IdentityID); err != nil {
		seat.Leave()
		return nil, err
	}
	return seat, nil
}

// lasting gives a context that outlives the request, with its record.
func lasting(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithCancel(wire.Outlive(r.Context()))
}

// Begin sends the headers and the first bytes. The stream is open by then, so
// whoever has the headers hears of everything from then on.
func (l *live) Begin(at hark.Cursor) {
	if l.begun {
		return
	}
	l.begun = true
	_ = l.Write(l.form.begin(at)) // a failure shows at the next write
	l.Beat(heartbeat, l.form.sign())
}

// End ends the stream with its last answer.
func (l *live) End(ctx context.Context, why error) {
	l.Begin(hark.Cursor{})
	if last := l.executor.Last(ctx, why); last == nil || !last.Draining {
		_ = l.Write(l.form.end(last)) // who is gone needs no word
	}
	l.cancel()
	l.Close()
}

// Lane is the same for all of a form: their frames are.
func (l *live) Lane() string { return l.form.media() }

// Append appends the frame of one result.
func (l *live) Append(b []byte, f stream.Frame) []byte { return l.form.append(b, f) }
