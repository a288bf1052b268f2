package projectevents

import (
	"context"
	"errors"
	"sync"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/sse"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// events is one stream.
type events struct {
	*Handler
	seat    *audience.Seat
	w       *sse.Writer
	request Request
	reader  Reader
}

// serve writes events until the client goes, its authority ends or hark drains.
func (s *events) serve(ctx context.Context, viewer *hark.Viewer, gap bool) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	defer func() { s.reader.Close() }()
	running.Go(func() { s.w.Beat(ctx, pingInterval, "event: ping\n\n", cancel) })
	session := authority.NewSession(s.access, viewer)
	session.Keep(ctx, func(error) {}) // Current tells its error
	defer s.seat.OnDrain(cancel)()
	if gap && s.gap() != nil {
		return
	}
	err := s.pump(ctx, session)
	if ctx.Err() != nil || errors.Is(err, stream.ErrDraining) {
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
