package socket

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// A plain writes to a connection that net/http keeps, such as one of HTTP/2.
type plain struct {
	mu  sync.Mutex
	w   http.ResponseWriter
	c   *http.ResponseController
	err error // the first one; nothing is written after it
}

func (s *plain) write(frames []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.err = s.c.SetWriteDeadline(time.Now().Add(writeTimeout)); s.err != nil {
		return s.err
	}
	if _, s.err = s.w.Write(frames); s.err == nil {
		s.err = s.c.Flush()
	}
	_ = s.c.SetWriteDeadline(time.Time{}) // HTTP/2 ends a stream at its deadline, whether it writes or not
	return s.err
}

// end lets nothing be written any more: the handler is about to return.
func (s *plain) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = errors.New("the response is closed")
	}
}
