package websocket

import (
	"bufio"
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
	closeTimeout = 10 * time.Second // for the peer to read what is on its way, and leave
)

// A conn is one connection. It has no goroutine while it is quiet: one reads
// what has arrived, the groups of its operations write by themselves. The
// library reads, and writes control frames; all else is written to out, beside it.
type conn struct {
	*Handler
	dialect
	ws         *websocket.Conn
	in         *bufio.Reader // of ws, between its reads
	out        *socket.Conn
	seat       *audience.Seat
	fromHeader *hark.Viewer // who the Authorization header stands for; nil: none was sent

	end      func(why error) // ends the connection with a *closing
	ending   sync.Once
	closing  sync.WaitGroup // until it is closed
	gone     chan struct{}  // closed when the client is
	stopped  chan struct{}  // closed when its operations have stopped
	all      sync.WaitGroup // operations that begin or end
	pace     pace           // of what the client sends; of the reader alone
	begins   positions      // of its operations, once they have stopped
	former   string         // session, until the client has shown that it has the new one; of the reader alone
	name     string         // of the session, under the care of sessions; empty: it cannot be resumed
	pinged   bool           // and the answer is waited for; of the beat alone
	answered atomic.Bool
	slow     sync.Once // counted
	pings    pace      // of the library's reader
	flooded  bool      // by pings; of the library's reader

	mu         sync.Mutex
	over       bool
	beat       *time.Timer
	session    *authority.Session // nil before connection_ack
	resume     positions          // of operations that the client has not started again
	operations []*running         // few, mostly one: a map would cost more than they do
	live       int                // operations whose goroutine has not ended yet
}

// serve begins the connection.
func (c *conn) serve(ctx context.Context, ok bool) {
	if !ok {
		_ = c.ws.Close(4406, "Subprotocol not acceptable") // nobody is left to tell
		c.seat.Leave()
		return
	}
	start := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	c.end = func(why error) {
		cancel(why)
		c.ending.Do(func() { c.closing.Go(func() { c.close(ctx) }) })
	}
	c.mu.Lock()
	c.beat = time.AfterFunc(pingInterval, c.pulse)
	c.mu.Unlock()
	c.seat.OnDrain(func() { c.end(restarting()) })
	time.AfterFunc(initTimeout, func() {
		if c.current() == nil {
			c.end(&closing{code: 4408, reason: "Connection initialisation timeout"})
		}
	})
	var wake func()
	wake = func() {
		err := c.hear(ctx)
		if err == nil {
			c.out.Quiet(wake)
			return
		}
		c.end(err)
		c.out.Discard()
		close(c.gone)
		c.closing.Wait()
		c.all.Wait()
		why := cause(ctx)
		wire.Log(ctx, c.log, "socket closed", slog.Int("close", int(why.code)), slog.String("reason", why.reason), slog.Duration("took", time.Since(start)))
		c.seat.Leave()
	}
	c.out.Quiet(wake)
}

// close closes the connection when it has ended. A client that is told why leaves
// first: the system drops what is still on its way to one that has sent something
// which nobody has read.
func (c *conn) close(ctx context.Context) {
	at, session := c.stopAll()
	if session != nil {
		session.Close()
	}
	c.sessions.end(context.WithoutCancel(ctx), c, at)
	why := cause(ctx)
	if why.told || why.code != 0 && c.out.Last(appendClose(nil, why.code, why.reason)) == nil {
		c.out.CloseWrite()
		late := time.AfterFunc(closeTimeout, func() { _ = c.out.Close() })
		<-c.gone
		late.Stop()
	}
	_ = c.ws.CloseNow()
}

// hear handles what has arrived, and waits for the rest of a message.
func (c *conn) hear(ctx context.Context) error {
	if !c.out.Skip(c.withoutPongs) {
		return nil
	}
	for {
		if ctx.Err() != nil {
			return cause(ctx)
		}
		if err := c.read(ctx); err != nil || c.in.Buffered() == 0 {
			return err
		}
	}
}

// withoutPongs drops the answers to pings: the library would wait for a message
// behind them.
func (c *conn) withoutPongs(b []byte) []byte {
	n := pongs(b)
	if n > 0 {
		c.answered.Store(true)
	}
	return b[n:]
}

// read reads one message. It has no context: one that ended would drop the
// connection without a close code.
func (c *conn) read(ctx context.Context) error {
	kind, data, err := c.ws.Read(context.Background())
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		_ = c.audience.Meet(audience.MessageBytes, "")
		return &closing{code: websocket.StatusMessageTooBig, reason: "Message too big", told: true}
	case err != nil:
		return &closing{reason: "the client closed"}
	case kind != websocket.MessageText || !utf8.Valid(data):
		return malformed("Only text messages are supported")
	case !c.pace.pass(time.Now(), c.limits.MessageRate, c.limits.MessageRate+c.limits.Operations):
		_ = c.audience.Meet(audience.MessageRate, "")
		return &closing{code: websocket.StatusTryAgainLater, reason: "Too many messages"}
	}
	m, err := parse(data)
	if err != nil {
		return err
	}
	return c.receive(ctx, m)
}

// pulse pings, so that a peer that is gone is found, until the connection ends.
func (c *conn) pulse() {
	switch {
	case !c.pinged:
		c.pinged = true
		c.answered.Store(false)
		ping := []byte{0x80 | opPing, 0}
		if c.legacy && c.current() != nil {
			ping = appendFrame(ping, `{"type":"ka"}`, nil, "")
		}
		if c.write(ping) == nil {
			c.beatIn(pongTimeout)
		}
	case c.answered.Load():
		c.pinged = false
		c.beatIn(pingInterval - pongTimeout)
	default:
		c.end(&closing{reason: "the client does not answer"})
	}
}

// beatIn has the next beat come.
func (c *conn) beatIn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.beat.Reset(d)
	}
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
