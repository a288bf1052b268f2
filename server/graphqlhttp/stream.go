package graphqlhttp

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/sse"
)

// heartbeat is how often a comment shows that the stream is alive.
const heartbeat = 15 * time.Second

// A stream is graphql-sse in its distinct connections mode.
type stream struct {
	w     *sse.Writer
	begun bool
}

func startStream(w http.ResponseWriter) *stream { return &stream{w: sse.New(w)} }

// begin sends the headers, once, and tells the client when to come back and, of
// a stream of a log, where it begins: a client that has heard nothing yet comes
// back there too. It is called when the stream is open, so whoever has the
// headers hears of everything from then on.
func (s *stream) begin(cursor string) {
	if s.begun {
		return
	}
	s.begun = true
	frame := "retry: 3000\n"
	if cursor != "" {
		frame += "id: " + cursor + "\n"
	}
	_ = s.w.Write([]byte(frame + "\n")) // a failure shows at the next write
}

// next writes one result.
func (s *stream) next(a operation.Answer) error {
	if a.Payload == nil {
		s.begin(a.Cursor)
		return nil
	}
	s.begin("")
	return s.w.Write(sse.AppendFrame(nil, a.Cursor, "next", a.Payload))
}

// complete tells the client that there is no more, and not to come back.
func (s *stream) complete() { _ = s.w.Write([]byte("event: complete\ndata: \n\n")) }

// answer writes the only result.
func (s *stream) answer(a operation.Answer) {
	if s.next(a) == nil {
		s.complete()
	}
}

// stream answers op with a stream. When hark drains it ends without
// `complete`, so that the client comes back with Last-Event-ID.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, op *operation.Operation) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	v, err := hark.ViewerFrom(ctx)
	s := startStream(w)
	defer s.begin("")
	if err != nil { // introspection
		s.answer(op.Execute(ctx))
		return
	}
	session := authority.NewSession(h.access, v)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { s.w.Beat(ctx, heartbeat, ":\n\n", cancel) })
	running.Go(func() {
		select {
		case <-h.drain:
			cancel()
		case <-ctx.Done():
		}
	})
	running.Go(func() { _ = session.Run(ctx) }) // Current tells its error
	for a := range op.Answers(ctx, session) {
		if a.Draining || s.next(a) != nil {
			return
		}
	}
	if _, _, err := session.Current(); err != nil {
		s.answer(h.executor.Refuse(ctx, err))
	} else if ctx.Err() == nil {
		s.complete()
	}
}
