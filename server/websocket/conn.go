package websocket

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// Times of a connection.
const (
	initTimeout  = 3 * time.Second // for connection_init
	pingInterval = 15 * time.Second
	pongTimeout  = 10 * time.Second // a peer that is gone is found within 25 s
)

// A conn is one connection. Its read loop is its one standing goroutine; the
// groups of its operations write by themselves. The library reads, and writes
// control frames; all else is written to out, beside it.
type conn struct {
	*Handler
	dialect
	ws         *websocket.Conn
	out        *socket.Conn
	seat       *audience.Seat
	fromHeader *hark.Viewer // who the Authorization header stands for; nil: none was sent

	end      context.CancelCauseFunc // ends the connection with a *closing
	stopped  chan struct{}           // closed when its operations have stopped
	all      sync.WaitGroup          // operations that begin or end
	pace     pace                    // of what the client sends; of the read loop alone
	begins   positions               // of its operations, once they have stopped
	name     string                  // of the session, under the care of sessions; empty: it cannot be resumed
	pinged   bool                    // and the answer is waited for; of the beat alone
	answered atomic.Bool
	slow     sync.Once // counted
	pings    pace      // of the library's reader
	flooded  bool      // by pings; of the library's reader

	mu         sync.Mutex
	session    *authority.Session  // nil before connection_ack
	resume     positions           // of operations that the client has not started again
	operations map[string]*running // by their ids
	live       int                 // operations whose goroutine has not ended yet
}

// serve runs the connection to its end.
func (c *conn) serve(ctx context.Context, ok bool) {
	start := time.Now()
	defer c.seat.Leave()
	if !ok {
		_ = c.ws.Close(4406, "Subprotocol not acceptable") // nobody is left to tell
		return
	}
	ctx, c.end = context.WithCancelCause(ctx)
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(closed)
		c.sessions.end(context.WithoutCancel(ctx), c, c.stopAll())
		switch why := cause(ctx); {
		case errors.Is(why, socket.ErrSlow):
			c.out.Last(appendClose(nil, why.code, why.reason))
		case why.code != 0:
			_ = c.ws.Close(why.code, why.reason) // the peer has 5 s to answer
		}
		_ = c.ws.CloseNow()
	})
	stay := c.seat.OnDrain(func() { c.end(restarting()) })
	late := time.AfterFunc(initTimeout, func() {
		if c.current() == nil {
			c.end(&closing{code: 4408, reason: "Connection initialisation timeout"})
		}
	})
	beat := c.beat(ctx)
	c.end(c.read(ctx))
	stay()
	late.Stop()
	beat.Stop()
	<-closed
	c.all.Wait()
	why := cause(ctx)
	wire.Log(ctx, c.log, "socket closed", slog.Int("close", int(why.code)), slog.String("reason", why.reason), slog.Duration("took", time.Since(start)))
}

// read is the read loop. Its reads have no context: one that ended would drop
// the connection without a close code.
func (c *conn) read(ctx context.Context) error {
	for {
		kind, data, err := c.ws.Read(context.Background())
		switch {
		case errors.Is(err, websocket.ErrMessageTooBig): // told; the rest of it must be read for the client to hear
			_ = c.audience.Meet(audience.MessageBytes, "")
			return &closing{code: websocket.StatusMessageTooBig, reason: "Message too big"}
		case err != nil:
			return &closing{reason: "the client closed"}
		case ctx.Err() != nil:
			return nil
		case kind != websocket.MessageText || !utf8.Valid(data):
			return malformed("Only text messages are supported")
		case !c.pace.pass(time.Now(), c.limits.MessageRate, c.limits.MessageRate+c.limits.Operations):
			_ = c.audience.Meet(audience.MessageRate, "")
			return &closing{code: websocket.StatusTryAgainLater, reason: "Too many messages"}
		}
		// In a goroutine of its own, which takes the stack along that it needs:
		// that of the loop stays small for as long as the connection is quiet.
		handled := make(chan error)
		go func() {
			m, err := parse(data)
			if err == nil {
				err = c.receive(ctx, m)
			}
			handled <- err
		}()
		if err := <-handled; err != nil {
			return err
		}
	}
}

// beat pings, so that a peer that is gone is found, until the timer is stopped.
func (c *conn) beat(ctx context.Context) (t *time.Timer) {
	ready := make(chan struct{})
	defer close(ready)
	t = time.AfterFunc(pingInterval, func() {
		<-ready
		switch {
		case ctx.Err() != nil:
			return
		case c.pinged && !c.answered.Load():
			c.end(&closing{reason: "the client does not answer"})
			return
		case c.pinged:
			c.pinged = false
			t.Reset(pingInterval - pongTimeout)
			return
		}
		c.pinged = true
		c.answered.Store(false)
		ping := []byte{0x80 | opPing, 0}
		if c.legacy && c.current() != nil {
			ping = appendFrame(ping, `{"type":"ka"}`, nil, "")
		}
		if c.write(ping) == nil {
			t.Reset(pongTimeout)
		}
	})
	return t
}

// write writes frames. It waits for the reader for as long as that takes some
// of it every 10 s; then the connection is dropped.
func (c *conn) write(frames []byte) error {
	_, err := c.out.Write(frames)
	return c.check(err)
}

// check ends the connection when a write has failed: a frame may be half sent.
func (c *conn) check(err error) error {
	switch {
	case err == nil, errors.Is(err, stream.ErrBusy), errors.Is(err, stream.ErrRest):
	case errors.Is(err, socket.ErrSlow):
		c.slow.Do(func() { _ = c.audience.Meet(audience.Reading, "") })
		c.end(notReading())
	default:
		c.end(&closing{reason: "the client is gone"})
	}
	return err
}

// identity is whose session it is; zero before connection_ack.
func (c *conn) identity() (id hark.ID) {
	if s := c.current(); s != nil {
		v, _, _ := s.Current()
		id = v.IdentityID
	}
	return id
}

// current is the session, nil before connection_ack.
func (c *conn) current() *authority.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}
