package socket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hark-events/hark/stream"
)

// A Response is an answer that goes on when its handler has returned, where the
// connection can be taken over: then nothing of net/http is left of it. Its
// writes fail when the reader is gone or takes nothing for 10 s, and then
// always; the response is closed then.
type Response struct {
	conn  *Conn  // taken over; nil: plain is used
	head  []byte // of conn, until it is sent with the first write
	plain *plain
	open  context.Context // of plain: until the reader is gone or Close is called
	close context.CancelFunc

	mu    sync.Mutex
	beat  *time.Timer
	ended bool
}

// Open makes a response of a media type whose headers go with the first Write.
// The body of the request must have been read.
func Open(w http.ResponseWriter, r *http.Request, p *Poller, media string) *Response {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	conn, err := Take(w, p)
	if err != nil {
		s := &Response{plain: &plain{w: w, c: http.NewResponseController(w)}}
		s.open, s.close = context.WithCancel(r.Context())
		return s
	}
	conn.limitUnacknowledged()
	h.Set("Connection", "close") // the end of the stream is the end of the connection
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	head := responseHead{}
	_ = h.Write(&head) // to memory
	return &Response{conn: conn, head: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\n%s\r\n", head)}
}

type responseHead []byte

func (h *responseHead) Write(p []byte) (int, error) {
	*h = append(*h, p...)
	return len(p), nil
}

// Serve calls end when the reader is gone or Close was called, after Serve has
// returned where the connection was taken over.
func (s *Response) Serve(end func()) {
	if s.conn == nil {
		<-s.open.Done()
		s.Close()
		end()
		return
	}
	s.conn.onEnd(func() {
		s.Close()
		end()
	})
}

// Beat writes a sign of life every interval until the response is closed. It is
// called once.
func (s *Response) Beat(interval time.Duration, sign string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.beat = time.AfterFunc(interval, func() {
		if s.Write([]byte(sign)) != nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.ended {
			s.beat.Reset(interval)
		}
	})
}

// Close ends the response. Closing twice is closing once.
func (s *Response) Close() {
	s.mu.Lock()
	s.ended = true
	if s.beat != nil {
		s.beat.Stop()
	}
	s.mu.Unlock()
	if s.conn == nil {
		s.plain.end()
		s.close()
		return
	}
	_ = s.conn.Close() // nobody is left to tell
}

// Write writes frames, and waits for the reader. The first Write runs alone,
// and before any TryWrite.
func (s *Response) Write(frames []byte) (err error) {
	if s.head != nil {
		frames, s.head = append(s.head, frames...), nil
	}
	if s.conn == nil {
		err = s.plain.write(frames)
	} else {
		_, err = s.conn.Write(frames)
	}
	return s.check(err)
}

// TryWrite is as stream.Writer's.
func (s *Response) TryWrite(frames []byte) error {
	if s.conn == nil {
		return stream.ErrBusy
	}
	return s.check(s.conn.TryWrite(frames))
}

// Flush waits for what TryWrite has left.
func (s *Response) Flush() error {
	if s.conn == nil {
		return s.check(s.plain.write(nil))
	}
	return s.check(s.conn.Flush())
}

// check closes the response of a reader that is gone.
func (s *Response) check(err error) error {
	if err != nil && !errors.Is(err, stream.ErrBusy) && !errors.Is(err, stream.ErrRest) {
		s.Close()
	}
	return err
}
