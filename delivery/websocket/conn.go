package websocket

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

const (
	// maxAnswer bounds a message of a subscriber, in bytes: more than is kept of it.
	maxAnswer = 2 * delivery.MaxResponseBody
	// pingEvery is how often a connection is asked for a sign of life, oftener
	// than proxies cut quiet ones (60 s, as a rule).
	pingEvery = 30 * time.Second
	// pongTimeout is how long that may take.
	pongTimeout = 10 * time.Second
	// closeTimeout is how long a subscriber may take to answer a close.
	closeTimeout = 2 * time.Second
	// keptBuffer is the largest buffer for messages that is kept, in bytes.
	keptBuffer = 64 << 10
)

var errSilent = errors.New("the subscriber did not answer a ping")

// A conn is one connection, on which messages go out without waiting for the
// answers to those before. Many that are sent at once go out in one write. The
// library reads, and writes control frames.
type conn struct {
	ws     *websocket.Conn
	stream *stream
	redact func(string) string
	lost   func(c *conn, answered bool)
	// refused drops the token that the upgrade showed, and tells whether there
	// may be another; nil: no.
	refused func() bool
	wake    chan struct{} // there is something to write
	done    chan struct{} // closed when it has ended
	pinger  *time.Timer

	mu       sync.Mutex
	waiting  map[hark.ID]chan<- outcome // for answers, by their deliveries
	out      []byte                     // frames to write
	answered bool                       // anything
	draining string                     // why nothing new is sent; empty: it is
	ended    bool
	why      error // hark ended it; nil: it did not mean to
	cause    error // what hark found wrong with it; nil: nothing
}

func newConn(ws *websocket.Conn, s *stream, redact func(string) string, lost func(*conn, bool)) *conn {
	ws.SetReadLimit(maxAnswer)
	return &conn{
		ws: ws, stream: s, redact: redact, lost: lost,
		wake: make(chan struct{}, 1), done: make(chan struct{}), waiting: make(map[hark.ID]chan<- outcome),
	}
}

// start begins to read and to write.
func (c *conn) start() {
	c.pinger = time.AfterFunc(pingEvery, c.ping)
	go func() { c.end(c.read()) }()
	go c.write()
}

// abandon closes a connection that was not started.
func (c *conn) abandon() { _ = c.ws.CloseNow() }

// exchange sends a message and waits for its answer. It is not sent when the
// connection has ended, or is about to.
func (c *conn) exchange(ctx context.Context, id hark.ID, message []byte) (o outcome, sent bool) {
	started := time.Now()
	answer := make(chan outcome, 1)
	c.mu.Lock()
	if c.ended || c.draining != "" {
		c.mu.Unlock()
		return o, false
	}
	if _, twice := c.waiting[id]; twice {
		c.mu.Unlock()
		return *noAnswer(errors.New("an attempt at this delivery is under way already")), true
	}
	c.waiting[id] = answer
	c.out = appendFrame(c.out, message)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	select {
	case o = <-answer:
		return o, true
	case <-ctx.Done():
	}
	if !c.forget(id) {
		return <-answer, true // it came at the same moment
	}
	c.pinger.Reset(0) // is anybody there at all?
	return *noAnswer(errors.New(delivery.Explain(ctx.Err(), "waiting for an ack", time.Since(started)))), true
}

// forget waits no more for the answer to id. False: it is there.
func (c *conn) forget(id hark.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.waiting[id]; !ok {
		return false
	}
	delete(c.waiting, id)
	c.settle()
	return true
}

// answer hands on an answer. One that nobody waits for is dropped: its attempt
// has timed out, or there never was one.
func (c *conn) answer(id hark.ID, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered = true
	if to, ok := c.waiting[id]; ok {
		delete(c.waiting, id)
		to <- o
		c.settle()
	}
}

// settle hangs up when that was asked for and nothing is waited for any more.
// The lock is held.
func (c *conn) settle() {
	if c.draining == "" || len(c.waiting) > 0 || c.ended {
		return
	}
	go c.hangUp(websocket.StatusNormalClosure, c.draining)
}

// drain sends nothing new, and hangs up when all that was sent is answered.
func (c *conn) drain(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining == "" {
		c.draining = reason
		c.settle()
	}
}

// close ends the connection because of why, and waits until it has ended.
func (c *conn) close(why error) {
	c.mu.Lock()
	if c.why == nil {
		c.why = why
	}
	c.mu.Unlock()
	c.hangUp(websocket.StatusGoingAway, why.Error())
	<-c.done
}

// hangUp says goodbye. The reader hears of it.
func (c *conn) hangUp(code websocket.StatusCode, reason string) {
	// The library waits for the end of a message that is being read, however
	// slowly that comes.
	late := time.AfterFunc(closeTimeout, func() { _ = c.stream.Close() })
	defer late.Stop()
	_ = c.ws.Close(code, reason) // it fails when the peer does not answer
}

// write writes what there is until the connection ends.
func (c *conn) write() {
	var spare []byte
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		c.mu.Lock()
		b := c.out
		if len(b) == 0 { // it went out with what came before it
			c.mu.Unlock()
			continue
		}
		c.out = spare[:0]
		c.mu.Unlock()
		if _, err := c.stream.Write(b); err != nil {
			c.fail(err)
			return
		}
		if spare = b; cap(spare) > keptBuffer {
			spare = nil
		}
	}
}

// read takes answers until the connection ends.
func (c *conn) read() error {
	buf := make([]byte, 0, 512)
	for {
		kind, r, err := c.ws.Reader(context.Background()) // ended by closing
		if err != nil {
			return err
		}
		if buf, err = readAll(buf[:0], r); err != nil {
			return err
		}
		if kind != websocket.MessageText {
			continue
		}
		if a, ok := parse(buf); ok {
			c.answer(a.id, a.outcome(c.redact))
		}
	}
}

// readAll appends what r has, which is bounded, to b.
func readAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// end tells all who wait why there is no answer.
func (c *conn) end(err error) {
	_ = c.ws.CloseNow() // it may be closed already
	c.pinger.Stop()
	renewed := unauthorized(err) && c.refused != nil && c.refused()
	c.mu.Lock()
	c.ended = true
	answered := c.answered
	o := lost(err, c.why, c.cause, c.redact)
	o.again = renewed && c.why == nil
	c.mu.Unlock()
	c.lost(c, answered) // first, so that nobody finds it who tries again
	c.mu.Lock()
	for id, to := range c.waiting {
		delete(c.waiting, id)
		to <- o
	}
	c.mu.Unlock()
	close(c.done)
}

// fail ends the connection, with which something is wrong.
func (c *conn) fail(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	_ = c.ws.CloseNow() // the reader hears of it
}

// ping asks for a sign of life, and hangs up on a peer that gives none.
func (c *conn) ping() {
	ctx, cancel := context.WithTimeout(context.Background(), pongTimeout)
	defer cancel()
	if err := c.ws.Ping(ctx); err != nil {
		c.fail(errSilent)
		return
	}
	c.pinger.Reset(pingEvery)
}
