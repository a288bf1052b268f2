package websocket

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/wire"
)

// maxMessage is the largest message a client may send, in bytes; a larger one closes with 1009.
const maxMessage = 64 << 10

// A Handler answers the upgrade of /graphql.
type Handler struct {
	executor *operation.Executor
	access   authority.Access
	allowed  func(*http.Request) bool
	log      *slog.Logger
	drain    <-chan struct{}
}

// New makes a Handler. allowed says which origins may connect; when drain is
// closed every connection is closed with 1012, and no new one is taken.
func New(e *operation.Executor, a authority.Access, allowed func(*http.Request) bool, log *slog.Logger, drain <-chan struct{}) *Handler {
	return &Handler{executor: e, access: a, allowed: allowed, log: log, drain: drain}
}

// ServeHTTP returns when the connection has ended.
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
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       []string{transportWS, legacyWS},
		InsecureSkipVerify: true, // of the origin, checked above as for every other route
	})
	if err != nil { // answered
		return
	}
	ws.SetReadLimit(maxMessage)
	viewer, _ := hark.ViewerFrom(r.Context())
	words, ok := dialectOf(ws.Subprotocol())
	if !ok {
		_ = ws.Close(4406, "Subprotocol not acceptable") // nobody is left to tell
		return
	}
	c := &conn{Handler: h, dialect: words, ws: ws, fromHeader: viewer, operations: make(map[string]*running)}
	reason := c.serve(r.Context())
	wire.Note(r.Context(), slog.Int("close", int(reason.code)), slog.String("reason", reason.reason))
}

// A closing is why a connection ends: the code and reason that the peer is told.
type closing struct {
	code   websocket.StatusCode // 0: the peer is gone, nobody is told
	reason string               // at most 123 bytes
}

func (c *closing) Error() string { return c.reason }

// closingOf gives the closing for the end of a session.
func closingOf(err error) *closing {
	e := wire.Classify(err)
	if e.Code != hark.Unauthenticated && e.Code != hark.Forbidden {
		return &closing{websocket.StatusTryAgainLater, "Try again later"}
	}
	return &closing{4403, cut("Forbidden: " + e.Message)}
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
func restarting() *closing { return &closing{websocket.StatusServiceRestart, "Restarting"} }
