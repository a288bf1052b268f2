package graphqlhttp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/server/sse"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

const (
	// heartbeat is how often a comment shows that the stream is alive.
	heartbeat = 15 * time.Second

	complete = "event: complete\ndata: \n\n" // there is no more, and not to come back
)

// answer writes a stream of one result.
func (h *Handler) answer(w http.ResponseWriter, a operation.Answer) {
	_ = sse.New(w).Write(append(sse.AppendFrame([]byte("retry: 3000\n\n"), a.Cursor, "next", a.Payload), complete...)) // nobody is left to tell
}

// An events is a subscription by graphql-sse in its distinct connections mode.
type events struct {
	*Handler
	*sse.Stream
	seat      *audience.Seat
	following *operation.Following
	ctx       context.Context // of the stream
	cancel    context.CancelFunc
	beat      *time.Timer // since it has begun; under the following's care, as all that it calls
}

var _ operation.Out = (*events)(nil)

// stream answers op with a stream. When hark drains it ends without
// `complete`, so that the client comes back with Last-Event-ID.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, op *operation.Operation) {
	v, err := hark.ViewerFrom(r.Context())
	if err != nil || op.Kind() != ast.Subscription { // err: introspection
		h.answer(w, op.Execute(r.Context()))
		return
	}
	seat, err := h.audience.Enter()
	if err == nil {
		if err = seat.Identity(v.IdentityID); err != nil {
			seat.Leave()
		}
	}
	if err != nil {
		h.refuse(w, r, accepted{json: typeResponse}, err)
		return
	}
	e := &events{Handler: h, seat: seat, Stream: sse.Open(w, r)}
	ctx, cancel := context.WithCancel(wire.WithRecord(context.Background(), &wire.Record{ID: wire.RequestID(r.Context())}))
	e.ctx, e.cancel = ctx, cancel
	session := authority.NewSession(h.access, v)
	e.following = op.Follow(ctx, session, h.groups, e)
	session.Keep(ctx, e.expelled)
	stay := seat.OnDrain(func() {
		if e.following.Stop() {
			e.End(&operation.Answer{Draining: true})
		}
	})
	go e.following.Run()
	e.Serve(func() {
		stay()
		cancel()
		e.following.Stop()
		if e.beat != nil {
			e.beat.Stop()
		}
		seat.Leave()
	})
}

// expelled ends the stream of a caller whose token has ended.
func (e *events) expelled(why error) {
	if e.following.Stop() {
		a := e.executor.Refuse(context.Background(), why)
		e.End(&a)
	}
}

// Begin sends the headers, when to come back and, of a stream of a log, where it
// begins: a client that has heard nothing yet comes back there too. The stream
// is open by then, so whoever has the headers hears of everything from then on.
func (e *events) Begin(at hark.Cursor) {
	frame := "retry: 3000\n"
	if at != (hark.Cursor{}) {
		frame += "id: " + at.String() + "\n"
	}
	_ = e.Write([]byte(frame + "\n")) // a failure shows at the next write
	ready := make(chan struct{})
	defer close(ready)
	e.beat = time.AfterFunc(heartbeat, func() {
		<-ready
		if e.ctx.Err() == nil && e.Write([]byte(":\n\n")) == nil {
			e.beat.Reset(heartbeat)
		}
	})
}

// End ends the stream with its last answer.
func (e *events) End(last *operation.Answer) {
	if e.beat == nil {
		e.Begin(hark.Cursor{})
	}
	if last == nil {
		_ = e.Stream.Write([]byte(complete)) // who is gone needs no word
	} else if !last.Draining {
		_ = e.Stream.Write(append(sse.AppendFrame(nil, "", "next", last.Payload), complete...))
	}
	e.close()
}

func (e *events) close() {
	e.cancel()
	e.Stream.Close()
}

// Lane is the same for all: their frames are.
func (*events) Lane() string { return "sse" }

// Append appends the frame of one result.
func (*events) Append(b []byte, f stream.Frame) []byte {
	id := ""
	if f.Cursor.Sequence > 0 {
		id = f.Cursor.String()
	}
	return sse.AppendFrame(b, id, "next", f.Payload)
}

// TryWrite writes frames without waiting.
func (e *events) TryWrite(b []byte) error {
	switch err := e.Stream.TryWrite(b); {
	case errors.Is(err, socket.ErrBusy):
		return stream.ErrBusy
	case errors.Is(err, socket.ErrRest):
		return stream.ErrRest
	default:
		return e.check(err)
	}
}

// Flush waits until all is written.
func (e *events) Flush() error { return e.check(e.Stream.Flush()) }

// Write writes frames, and waits.
func (e *events) Write(b []byte) error { return e.check(e.Stream.Write(b)) }

// check closes the stream of a reader that is gone.
func (e *events) check(err error) error {
	if err != nil {
		e.close()
	}
	return err
}
