package sse

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hark-events/hark/server/socket"
)

// A Stream is a response of events that goes on when its handler has returned,
// where the connection can be taken over: then nothing of net/http is left of it.
type Stream struct {
	conn  *socket.Conn // taken over; nil: plain is used
	head  []byte       // of conn, until it is sent with the first frames
	plain *Writer
	open  context.Context // of plain: until the reader is gone or Close is called
	close context.CancelFunc
}

// Open makes an event stream whose headers go with the first Write. The body
// must have been read.
func Open(w http.ResponseWriter, r *http.Request) *Stream {
	conn, err := socket.Take(w)
	if err != nil {
		s := &Stream{plain: New(w)}
		s.open, s.close = context.WithCancel(r.Context())
		return s
	}
	h := w.Header()
	setHeaders(h)
	h.Set("Connection", "close") // the end of the stream is the end of the connection
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	head := responseHead{}
	_ = h.Write(&head) // to memory
	return &Stream{conn: conn, head: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\n%s\r\n", head)}
}

type responseHead []byte

func (h *responseHead) Write(p []byte) (int, error) {
	*h = append(*h, p...)
	return len(p), nil
}

// Serve calls end when the reader is gone or Close was called, after Serve has
// returned where the connection was taken over.
func (s *Stream) Serve(end func()) {
	if s.conn != nil {
		go func() {
			s.conn.Drain()
			end()
		}()
		return
	}
	<-s.open.Done()
	end()
}

// Close ends the stream. Closing twice is closing once.
func (s *Stream) Close() {
	if s.conn != nil {
		_ = s.conn.Close() // nobody is left to tell
		return
	}
	s.close()
}

// Write writes frames. It fails when the reader is gone or takes nothing for
// 10 s, and then always. The first Write runs alone, and before any TryWrite.
func (s *Stream) Write(frames []byte) error {
	if s.head != nil {
		frames, s.head = append(s.head, frames...), nil
	}
	if s.conn != nil {
		_, err := s.conn.Write(frames)
		return err
	}
	return s.plain.Write(frames)
}

// TryWrite is as socket.Conn's.
func (s *Stream) TryWrite(frames []byte) error {
	if s.conn != nil {
		return s.conn.TryWrite(frames)
	}
	return socket.ErrBusy
}

// Flush waits for what TryWrite has left.
func (s *Stream) Flush() error {
	if s.conn != nil {
		return s.conn.Flush()
	}
	return s.plain.Write(nil)
}
