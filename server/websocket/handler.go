package websocket

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// A Handler answers the upgrade of /graphql.
type Handler struct {
	executor *operation.Executor
	groups   *stream.Groups
	access   authority.Access
	audience *audience.Audience
	limits   audience.Limits
	sessions *sessions
	allowed  func(*http.Request) bool
	poller   *socket.Poller
	log      *slog.Logger
}

// New makes a Handler. n, which may be nil, is what nodes leave for each other;
// allowed says which origins may connect; when the
// audience goes home every connection is closed with 1012, and no new one is taken.
func New(e *operation.Executor, g *stream.Groups, a authority.Access, au *audience.Audience, n Notes, allowed func(*http.Request) bool, p *socket.Poller, log *slog.Logger) *Handler {
	limits := au.Limits()
	return &Handler{
		executor: e, groups: g, access: a, audience: au, limits: limits,
		sessions: newSessions(limits.Streams, n), allowed: allowed, poller: p, log: log,
	}
}

// ServeHTTP returns when the connection has begun: it goes on by itself, with
// nothing left of net/http.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.allowed(r) {
		wire.Refuse(w, r, http.StatusForbidden, "this origin may not connect: the operator lists it in HARK_CORS_ORIGINS")
		return
	}
	r, err := authority.Authenticate(r, h.access)
	if err != nil {
		wire.WriteError(w, r, h.log, err)
		return
	}
	seat, err := h.audience.Enter()
	if err != nil {
		wire.WriteError(w, r, h.log, err)
		return
	}
	viewer, _ := hark.ViewerFrom(r.Context())
	c := &conn{Handler: h, seat: seat, fromHeader: viewer, gone: make(chan struct{}), stopped: make(chan struct{})}
	upgrade := &upgrade{ResponseWriter: w, poller: h.poller}
	ws, err := websocket.Accept(upgrade, r, &websocket.AcceptOptions{
		Subprotocols:       []string{transportWS, legacyWS},
		InsecureSkipVerify: true, // of the origin, checked above as for every other route
		OnPingReceived:     c.answers,
		OnPongReceived:     func(context.Context, []byte) { c.answered.Store(true) },
	})
	if err != nil { // answered
		seat.Leave()
		return
	}
	ws.SetReadLimit(int64(h.limits.MessageBytes))
	words, ok := dialectOf(ws.Subprotocol())
	c.ws, c.in, c.out, c.dialect = ws, upgrade.in, upgrade.conn, words
	ctx := wire.Outlive(r.Context())
	go c.serve(ctx, ok)
}

// An upgrade takes the connection over in hark's way, with small buffers.
type upgrade struct {
	http.ResponseWriter
	poller *socket.Poller
	conn   *socket.Conn
	in     *bufio.Reader
}

// Sizes of a connection's buffers, in bytes. A control frame must fit the
// writer's, so that it is one write.
const (
	readBuffer  = 128
	writeBuffer = 128
)

// Hijack implements http.Hijacker.
func (u *upgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, err := socket.Take(u.ResponseWriter, u.poller)
	if err != nil {
		return nil, nil, err
	}
	u.conn, u.in = c, bufio.NewReaderSize(c, readBuffer)
	return c, bufio.NewReadWriter(u.in, bufio.NewWriterSize(c, writeBuffer)), nil
}

// A closing is why a connection ends: the code and reason that the peer is told.
type closing struct {
	code   websocket.StatusCode // 0: the peer is gone, nobody is told
	reason string               // at most 123 bytes
	err    error                // what led to it; nil where the reason says it
	told   bool                 // by the library
}

func (c *closing) Error() string { return c.reason }
func (c *closing) Unwrap() error { return c.err }

// notReading ends the connection of a client that takes nothing for 10 s.
func notReading() *closing {
	return &closing{code: websocket.StatusTryAgainLater, reason: "Not reading", err: socket.ErrSlow}
}

// closingOf gives the closing for the end of a session.
func closingOf(err error) *closing {
	e := wire.Classify(err)
	if e.Code != hark.Unauthenticated && e.Code != hark.Forbidden {
		return &closing{code: websocket.StatusTryAgainLater, reason: "Try again later"}
	}
	return &closing{code: 4403, reason: cut("Forbidden: " + e.Message)}
}

// cut shortens a reason to what fits a close frame, at a whole character.
func cut(reason string) string {
	const most = 123 // bytes, RFC 6455 section 5.5
	return strings.ToValidUTF8(reason[:min(len(reason), most)], "")
}

var _ http.Handler = (*Handler)(nil)

// cause is the closing that ended ctx.
func cause(ctx context.Context) *closing {
	if c, ok := context.Cause(ctx).(*closing); ok {
		return c
	}
	return restarting() // the drain timeout is over
}

// restarting makes the client come back, to another node.
func restarting() *closing {
	return &closing{code: websocket.StatusServiceRestart, reason: "Restarting"}
}
