package sse

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// writeTimeout is how long a reader may take no byte before it is given up.
const writeTimeout = 10 * time.Second

// A Writer writes events to one response. Many goroutines may use it.
type Writer struct {
	mu  sync.Mutex
	w   http.ResponseWriter
	c   *http.ResponseController
	err error // the first one; nothing is written after it
}

// Start sends the headers of an event stream at once.
func Start(w http.ResponseWriter) *Writer {
	s := New(w)
	_ = s.Write(nil) // a failure stays in s.err
	return s
}

// New makes an event stream whose headers go with the first frames.
func New(w http.ResponseWriter) *Writer {
	setHeaders(w.Header())
	return &Writer{w: w, c: http.NewResponseController(w)}
}

func setHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
}

// Write writes frames and flushes them. It fails when the reader is gone or
// takes nothing for 10 s, and then always.
func (s *Writer) Write(frames []byte) error {
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
	return s.err
}

// Beat writes frame every interval until ctx ends or the reader is gone, which it reports by calling gone.
func (s *Writer) Beat(ctx context.Context, interval time.Duration, frame string, gone context.CancelFunc) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.Write([]byte(frame)) != nil {
				gone()
				return
			}
		}
	}
}

// AppendFrame appends one event; id and event may be empty. The lines of data
// become lines of their own, as a line break would end it: CR LF and CR are
// read as LF.
func AppendFrame(b []byte, id, event string, data []byte) []byte {
	if id != "" {
		b = fmt.Appendf(b, "id: %s\n", id)
	}
	if event != "" {
		b = fmt.Appendf(b, "event: %s\n", event)
	}
	for more := true; more; {
		end := bytes.IndexAny(data, "\r\n")
		line := data
		if more = end >= 0; more {
			line = data[:end]
			if bytes.HasPrefix(data[end:], []byte("\r\n")) {
				end++
			}
			data = data[end+1:]
		}
		b = append(append(append(b, "data: "...), line...), '\n')
	}
	return append(b, '\n')
}
