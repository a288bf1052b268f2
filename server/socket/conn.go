package socket

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hark-events/hark/stream"
)

const (
	// writeTimeout is how long a reader may take no byte before it is given up.
	writeTimeout = 10 * time.Second

	// linger is how long a reader that was given up may take to read on, and
	// so to hear why.
	linger = 15 * time.Second

	// maxPiece is how many bytes are written at once where a part of them cannot
	// be; it is what a record of TLS takes.
	maxPiece = 16 << 10

	// aliased is from how many bytes on the rest of a TryWrite is kept
	// without copying it: such buffers are not used again.
	aliased = 64 << 10
)

// ErrSlow is why nothing is written any more to a reader that takes nothing.
var ErrSlow = errors.New("the reader has taken nothing for 10 s")

// A Conn is a connection whose writes never mix: what one call writes stays
// together, and the rest of a TryWrite goes first. Many goroutines may
// write; one may read, look and wait. Of what a reader has not taken it keeps the rest of one
// write at most.
type Conn struct {
	net.Conn
	raw    syscall.RawConn // nil: every read and write may wait
	poller *Poller
	early  []byte // has arrived, and is read first; of who reads

	// Of the poller, and guarded by its mutex.
	ready          func()
	fd             int32
	polled, closed bool

	mu   sync.Mutex // held for a whole write
	rest []byte     // of a TryWrite, or of the write that was given up
	err  error      // the first of writing; nothing is written after it

	// Of the TryWrite under way: fields, so that its closure is made once.
	attempt func(fd uintptr) bool
	out     []byte
	n       int
	failed  error
}

// Take takes the connection of a request over from net/http, which forgets it
// when the handler returns; p waits for what the client sends. It fails for HTTP/2.
func Take(w http.ResponseWriter, p *Poller) (*Conn, error) {
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over the connection: %w", err)
	}
	c := &Conn{Conn: nc, poller: p}
	if n := brw.Reader.Buffered(); n > 0 {
		early, _ := brw.Reader.Peek(n) // they are there
		c.early = append([]byte(nil), early...)
	}
	_ = nc.SetDeadline(time.Time{}) // of net/http; one that is gone shows at the first write
	if s, ok := nc.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	c.attempt = func(fd uintptr) bool {
		c.n, c.failed = try(fd, c.out)
		return true
	}
	return c, nil
}

// Quiet has ready called once, in a goroutine of its own: when the client has sent
// something or is gone, or c is closed. Where that cannot be told, or Read need
// not wait, it is called at once. The goroutine waits too where no poller does.
func (c *Conn) Quiet(ready func()) {
	switch {
	case c.raw == nil || len(c.early) > 0:
		go ready()
	case !c.poller.add(c, ready):
		go func() {
			_ = c.raw.Read(arrived) // fails when c is closed
			ready()
		}()
	}
}

// Read reads what the client sent.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// glance is how many bytes Skip looks at.
const glance = 128

// Skip looks at what has arrived, without waiting, and drops what rest says is
// of no interest. It tells whether there is anything to Read: something else, or
// an end; also when that cannot be told.
func (c *Conn) Skip(rest func([]byte) []byte) bool {
	if c.raw == nil || len(c.early) > 0 {
		return true
	}
	var b [glance]byte
	n, err := 0, error(nil)
	closed := c.raw.Read(func(fd uintptr) bool {
		n, err = tryRead(fd, b[:])
		return true
	})
	if closed != nil || err != nil {
		return true // Read tells
	}
	if left := rest(b[:max(n, 0)]); len(left) > 0 {
		c.early = bytes.Clone(left)
	}
	return len(c.early) > 0
}

// Discard reads and drops what the client sends, until it is gone or c is closed.
func (c *Conn) Discard() {
	var b [512]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			return
		}
	}
}

// onEnd has end called when the client is gone or c is closed. What it sends
// meanwhile is dropped.
func (c *Conn) onEnd(end func()) {
	c.Quiet(func() {
		var b [64]byte
		if _, err := c.Read(b[:]); err != nil {
			end()
			return
		}
		c.onEnd(end)
	})
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.poller.remove(c)
	return c.Conn.Close()
}

// Write writes all of p. It fails when the reader is gone or takes nothing for
// 10 s, and then always.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finish(); c.err != nil {
		return 0, c.err
	}
	return c.all(p)
}

// Flush writes the rest of a TryWrite, and waits for other writes. It fails as Write does.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finish()
	return c.err
}

// TryWrite writes p without waiting for anybody: all of it; or as much as the
// connection takes now, and keeps the rest, stream.ErrRest; or nothing at all, stream.ErrBusy.
// The caller must not change p afterwards if it is 64 KiB long or longer.
func (c *Conn) TryWrite(p []byte) error {
	if c.raw == nil || !c.mu.TryLock() {
		return stream.ErrBusy
	}
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case len(c.rest) > 0:
		return stream.ErrBusy
	}
	c.out, c.n, c.failed = p, 0, nil
	c.err = c.raw.Write(c.attempt)
	c.out = nil
	if c.err == nil {
		c.err = c.failed
	}
	switch {
	case c.err != nil:
		return c.err
	case c.n == 0:
		return stream.ErrBusy
	case c.n < len(p):
		c.rest = p[c.n:]
		if len(p) < aliased {
			c.rest = bytes.Clone(c.rest)
		}
		return stream.ErrRest
	}
	return nil
}

// finish writes the rest of a TryWrite. It is called with the mutex held.
func (c *Conn) finish() {
	if rest := c.rest; len(rest) > 0 && c.err == nil { // else it is for Last
		c.rest = nil
		_, _ = c.all(rest) // c.err tells
	}
}

// Last writes b, and nothing is written behind it. A reader that takes nothing
// for 10 s, or has not for that long, may read on for 15 s. Close ends it.
func (c *Conn) Last(b []byte) error {
	c.mu.Lock()
	if c.finish(); c.err == nil {
		_, _ = c.all(b) // c.err tells
		b = nil
	}
	err, rest := c.err, c.rest
	if c.rest = nil; err == nil {
		c.err = net.ErrClosed
	}
	c.mu.Unlock()
	if !errors.Is(err, ErrSlow) {
		return err
	}
	err = c.SetWriteDeadline(time.Now().Add(linger))
	for _, p := range [][]byte{rest, b} {
		if err == nil && len(p) > 0 {
			_, err = c.Conn.Write(p)
		}
	}
	return err
}

// CloseWrite tells the client that nothing more comes, where the connection has
// two directions.
func (c *Conn) CloseWrite() {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite() // who is gone needs no word
	}
}

// all writes p for as long as some of it goes every 10 s.
func (c *Conn) all(p []byte) (n int, err error) {
	write := c.piece
	if c.raw != nil {
		write = c.wait
	}
	for c.err == nil && n < len(p) {
		if c.err = c.SetWriteDeadline(time.Now().Add(writeTimeout)); c.err != nil {
			break
		}
		var wrote int
		wrote, c.err = write(p[n:])
		n += wrote
		if errors.Is(c.err, os.ErrDeadlineExceeded) {
			c.err, c.rest = ErrSlow, bytes.Clone(p[n:]) // p is its owner's again
		}
	}
	_ = c.SetWriteDeadline(time.Time{}) // TryWrite would see one that has passed
	return n, c.err
}

// piece writes the beginning of p, as much as must go within the deadline: a
// connection with TLS is of no use after a write that was cut.
func (c *Conn) piece(p []byte) (n int, err error) {
	return c.Conn.Write(p[:min(len(p), maxPiece)])
}
