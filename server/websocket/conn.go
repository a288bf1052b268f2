package websocket

import (
	"context"
	"errors"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
)

// Times of a connection.
const (
	initTimeout  = 3 * time.Second  // for connection_init
	writeTimeout = 10 * time.Second // for a reader to take a message
	pingInterval = 15 * time.Second
	pongTimeout  = 10 * time.Second // a peer that is gone is found within 25 s
)

// A conn is one connection. Its read loop runs in the handler's goroutine;
// every operation has one of its own, which writes by itself: there is no
// queue, so who does not read holds up only what is his.
type conn struct {
	*Handler
	dialect
	ws         *websocket.Conn
	fromHeader *hark.Viewer // who the Authorization header stands for; nil: none was sent

	end context.CancelCauseFunc // ends the connection with a *closing
	all sync.WaitGroup          // every goroutine of the connection but the read loop

	writing sync.Mutex // one message at a time; guards running.stopped

	mu         sync.Mutex
	session    *authority.Session  // nil before connection_ack
	operations map[string]*running // by their ids
	live       int                 // operations whose goroutine has not ended yet
}

// serve runs the connection to its end and tells why it ended.
func (c *conn) serve(ctx context.Context) *closing {
	ctx, c.end = context.WithCancelCause(ctx)
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(closed)
		if why := cause(ctx); why.code != 0 {
			_ = c.ws.Close(why.code, why.reason) // the peer has 5 s to answer
		}
		_ = c.ws.CloseNow()
	})
	late := time.AfterFunc(initTimeout, func() {
		if c.current() == nil {
			c.end(&closing{4408, "Connection initialisation timeout"})
		}
	})
	c.all.Go(func() { c.keep(ctx) })
	c.end(c.read(ctx))
	late.Stop()
	<-closed
	c.all.Wait()
	return cause(ctx)
}

// read is the read loop. Its reads have no context: one that ended would drop
// the connection without a close code.
func (c *conn) read(ctx context.Context) error {
	for {
		kind, data, err := c.ws.Read(context.Background())
		switch {
		case errors.Is(err, websocket.ErrMessageTooBig): // told; the rest of it must be read for the client to hear
			return &closing{websocket.StatusMessageTooBig, "Message too big"}
		case err != nil:
			return &closing{reason: "the client closed"}
		case ctx.Err() != nil:
			return nil
		case kind != websocket.MessageText || !utf8.Valid(data):
			return malformed("Only text messages are supported")
		}
		m, err := parse(data)
		if err == nil {
			err = c.receive(ctx, m)
		}
		if err != nil {
			return err
		}
	}
}

// keep finds peers that are gone, and tells the others when hark stops.
func (c *conn) keep(ctx context.Context) {
	tick := time.NewTicker(pingInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.drain:
			c.end(restarting())
			return
		case <-tick.C:
			c.all.Go(func() { c.ping(ctx) })
		}
	}
}

func (c *conn) ping(ctx context.Context) {
	if !c.writing.TryLock() {
		return // a write under way finds out by itself, with its own deadline
	}
	c.writing.Unlock()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), pongTimeout)
	defer cancel()
	if err := c.ws.Ping(wait); err != nil {
		c.end(&closing{reason: "the client does not answer"})
		return
	}
	if c.legacy && c.current() != nil {
		_ = c.write(nil, appendMessage("", "ka", nil)) // a failure ends the read loop too
	}
}

// write sends one message of op, or of the connection for nil. It waits at most
// 10 s for the reader; then the connection is dropped.
func (c *conn) write(op *running, message []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if op != nil && op.stopped {
		return context.Canceled
	}
	// Not the operation's context: one that ends during a write drops the connection.
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	err := c.ws.Write(ctx, websocket.MessageText, message)
	if err != nil { // the library has dropped the connection: a frame may be half sent
		c.end(&closing{websocket.StatusTryAgainLater, "Not reading"})
	}
	return err
}

// current is the session, nil before connection_ack.
func (c *conn) current() *authority.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}
