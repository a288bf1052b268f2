package websocket

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

const (
	// firstWait and lastWait bound the back-off before connecting again, which
	// doubles with each failure in a row. An attempt waits for its end, so
	// that it is a real one: the longest must be well below time-outs.
	firstWait = 500 * time.Millisecond
	lastWait  = 5 * time.Second
	// jitter is the largest part of a wait that is added to it.
	jitter = 0.2
)

// A link is the way to one version of a subscription: its connection, or the
// making of it.
type link struct {
	driver   *Driver
	sub      *hark.Subscription
	standing int64 // the version of the project at which Run found it so; Run's alone

	mu       sync.Mutex
	conn     *conn // nil: none
	dial     *dial // under way; nil: none
	ended    bool
	failures int       // connections in a row that were not made, or brought no answer
	trouble  string    // with the last of them
	next     time.Time // no dial before
}

// A dial is one try at a connection. All but done is to be read when that is closed.
type dial struct {
	cancel  context.CancelFunc
	done    chan struct{}
	waited  chan struct{} // closed when the back-off is over
	conn    *conn
	refusal *outcome
}

// connection returns the connection, made if need be, or why there is none;
// neither when the link has ended. All who wait share one dial, which goes on
// without the one who began it.
func (l *link) connection(ctx context.Context) (*conn, *outcome) {
	l.mu.Lock()
	if l.conn != nil || l.ended {
		defer l.mu.Unlock()
		return l.conn, nil
	}
	d := l.dial
	if d == nil {
		d = &dial{done: make(chan struct{}), waited: make(chan struct{})}
		var dialling context.Context
		dialling, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
		l.dial = d
		go l.connect(dialling, d, time.Until(l.next))
	}
	trouble := l.trouble
	l.mu.Unlock()

	started := time.Now()
	select {
	case <-d.done:
		return d.conn, d.refusal
	case <-ctx.Done():
		during := "connecting"
		select {
		case <-d.waited:
		default:
			during = "waiting to connect again after: " + trouble
		}
		return nil, noAnswer(errors.New(delivery.Explain(ctx.Err(), during, time.Since(started))))
	}
}

// connect waits out the back-off and dials.
func (l *link) connect(ctx context.Context, d *dial, wait time.Duration) {
	defer d.cancel()
	if wait > 0 {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	close(d.waited)
	timeout := l.sub.Timeout
	if timeout <= 0 {
		timeout = hark.DefaultTimeout
	}
	timed, cancel := context.WithTimeout(ctx, min(timeout, hark.MaxTimeout))
	c, refusal := l.driver.dial(timed, l.sub, l.lost)
	cancel()

	l.mu.Lock()
	l.dial = nil
	switch {
	case l.ended:
		if c != nil {
			c.abandon()
		}
	case refusal != nil:
		l.failed(refusal.err.Error())
		d.refusal = refusal
	default:
		c.start()
		l.conn, d.conn = c, c
	}
	l.mu.Unlock()
	close(d.done)
}

// lost is told by a connection that it has ended.
func (l *link) lost(c *conn, answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != c {
		return
	}
	l.conn = nil
	if answered { // it did its work: whatever ended it, connecting again is due at once
		l.failures = 0
		return
	}
	l.failed("a connection without an answer")
}

// failed puts off the next dial. The lock is held.
func (l *link) failed(trouble string) {
	l.trouble = trouble
	wait := lastWait
	if l.failures < 10 { // beyond, it would only overflow
		wait = min(firstWait<<l.failures, lastWait)
	}
	l.failures++
	l.next = time.Now().Add(wait + time.Duration(jitter*rand.Float64()*float64(wait)))
}

// hangUp ends the link, its connection once all that it carries is answered.
func (l *link) hangUp(reason string) {
	if _, c := l.end(); c != nil {
		c.drain(reason)
	}
}

// close ends the link now, and waits for that.
func (l *link) close() {
	d, c := l.end()
	if d != nil {
		<-d.done
	}
	if c != nil {
		c.close(errClosed)
	}
}

// end lets no connection be made any more, and gives what there is.
func (l *link) end() (*dial, *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.dial != nil {
		l.dial.cancel()
	}
	c := l.conn
	l.conn = nil
	return l.dial, c
}
