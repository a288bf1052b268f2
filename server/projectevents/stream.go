package projectevents

import (
	"context"
	"errors"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/following"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/server/sse"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// An events is one stream: what it asks for, and where that goes.
type events struct {
	*Handler
	*socket.Response
	request   Request
	following *following.Following
	cancel    context.CancelFunc // ends all that is done for it

	// Of one beginning after the other.
	first Reader // opened by the handler, to begin with
	gap   bool   // events are missing before the beginning
	begun bool
}

var (
	_ following.Source = (*events)(nil)
	_ following.Out    = (*events)(nil)
)

// Open implements following.Source.
func (s *events) Open(ctx context.Context, after string) (stream.Execution, following.Puller, error) {
	r := s.first
	s.first = nil
	if r == nil {
		request := s.request
		request.After = after
		var err error
		if r, s.gap, err = s.open(ctx, request); err != nil {
			return nil, nil, err
		}
	}
	return newExecution(r, s.request.Register), nil, nil
}

// Begin sends the headers at once, and tells of a gap: the log does not reach
// back to where the client was.
func (s *events) Begin(hark.Cursor) {
	var frame []byte
	if s.gap {
		frame = []byte("event: gap\ndata: {\"message\":\"events before this point are no longer kept\"}\n\n")
	}
	s.gap = false
	if !s.begun || frame != nil {
		_ = s.Write(frame) // a failure shows at the next write
	}
	if !s.begun {
		s.begun = true
		s.Beat(pingInterval, "event: ping\n\n")
	}
}

// End tells why the stream ends, and ends it. When the node stops, the end is
// all that the client needs to come back.
func (s *events) End(ctx context.Context, why error) {
	if !errors.Is(why, stream.ErrDraining) {
		e := wire.Classify(why)
		wire.LogInternal(ctx, s.log, e)
		message := append(append([]byte(`{"message":`), quote(e.Message)...), '}')
		_ = s.Write(sse.AppendFrame(nil, "", "error", message)) // who is gone needs no word
	}
	s.cancel()
	s.Close()
}

// Lane is the same for all: their frames are.
func (*events) Lane() string { return "project-events" }

// Append appends a frame, which is ready.
func (*events) Append(b []byte, f stream.Frame) []byte { return append(b, f.Payload...) }
