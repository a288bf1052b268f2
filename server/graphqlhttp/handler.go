package graphqlhttp

import (
	"net/http"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// responseTimeout is how long an answer may take to be read.
const responseTimeout = 30 * time.Second

// A Handler answers POST and GET of /graphql, and what graphql-sse in its
// single connection mode asks for besides.
type Handler struct {
	executor     *operation.Executor
	groups       *stream.Groups
	access       authority.Access
	audience     *audience.Audience
	poller       *socket.Poller
	reservations reservations
}

// New makes a Handler, whose streams end when the audience goes home.
func New(e *operation.Executor, g *stream.Groups, a authority.Access, au *audience.Audience, p *socket.Poller) *Handler {
	return &Handler{executor: e, groups: g, access: a, audience: au, poller: p, reservations: newReservations()}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	accept := negotiate(r.Header)
	r, err := authority.Authenticate(r, h.access)
	if err != nil { // before anything is parsed
		h.refuse(w, r, accept, err)
		return
	}
	stops := r.Method == http.MethodDelete && r.URL.Query().Has("operationId")
	if token := streamToken(r); token != "" || stops || r.Method == http.MethodPut {
		h.single(w, r, accept, token)
		return
	}
	req, bad := read(w, r)
	switch {
	case bad != nil:
		h.reject(w, r, accept, bad)
		return
	case accept.json == "" && !accept.mayStream():
		h.reject(w, r, accept, reject(http.StatusNotAcceptable,
			"hark answers as application/graphql-response+json, application/json, text/event-stream or multipart/mixed;subscriptionSpec=1.0: accept one of them"))
		return
	}
	op, err := h.executor.Prepare(r.Context(), req)
	if err != nil {
		h.refuse(w, r, accept, err)
		return
	}
	h.serve(w, r, accept, op)
}

// serve executes op in the form that fits it.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, accept accepted, op *operation.Operation) {
	subscription := op.Kind() == ast.Subscription
	switch {
	case r.Method == http.MethodGet && (op.Kind() == ast.Mutation || subscription && !accept.mayStream()):
		w.Header().Set("Allow", "POST")
		h.reject(w, r, accept, reject(http.StatusMethodNotAllowed, "GET is for queries, and for subscriptions with Accept: text/event-stream: send the %s by POST", op.Kind()))
	case subscription && !accept.mayStream():
		h.reject(w, r, accept, reject(http.StatusNotAcceptable, "a subscription is answered as a stream: use a WebSocket, or POST with Accept: text/event-stream"))
	case subscription && h.audience.Draining():
		h.reject(w, r, accept, stopping(w))
	case subscription:
		h.stream(w, r, accept, op)
	case accept.wantsStream():
		h.answer(w, r, accept.form, op.Execute(r.Context()))
	default:
		a := op.Execute(r.Context())
		h.write(w, accept.or(typeJSON), status(accept.json, a), a.Payload)
	}
}

// answer answers with a stream of one result.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, f form, a operation.Answer) {
	s := socket.Open(w, r, h.poller, f.media())
	defer s.Close()
	_ = s.Write(append(f.begin(hark.Cursor{}), f.end(&a)...)) // nobody is left to tell
}

// stopping refuses what would outlive the node.
func stopping(w http.ResponseWriter) *rejection {
	w.Header().Set("Retry-After", "1")
	return &rejection{http.StatusServiceUnavailable, hark.Errorf(hark.RateLimited, "this node is stopping: subscribe again")}
}

// reject answers what is no request.
func (h *Handler) reject(w http.ResponseWriter, r *http.Request, accept accepted, why *rejection) {
	h.write(w, accept.or(typeJSON), why.status, h.executor.Refuse(r.Context(), why.err).Payload)
}

// refuse answers that the operation does not run.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, accept accepted, err error) {
	a := h.executor.Refuse(r.Context(), err)
	wire.SetHeaders(w.Header(), a.Refused)
	if code := status(typeResponse, a); accept.wantsStream() && code != http.StatusUnauthorized && code != http.StatusTooManyRequests {
		h.answer(w, r, accept.form, a) // EventSource clients see no body of an error
		return
	}
	t := accept.or(typeJSON)
	h.write(w, t, status(t, a), a.Payload)
}

// status is the HTTP status of an answer: with application/json, which proxies
// answer with too, a well-formed request gets 200 even when it is refused,
// except for what concerns the caller.
func status(media string, a operation.Answer) int {
	if a.Refused == nil {
		return http.StatusOK
	}
	switch code := wire.Status(a.Refused.Code); {
	case code == http.StatusUnauthorized, code == http.StatusTooManyRequests, code == http.StatusInternalServerError && a.Refused.Code == hark.Internal:
		return code
	case media == typeJSON:
		return http.StatusOK
	case code == http.StatusForbidden:
		return code
	}
	return http.StatusBadRequest
}

func (h *Handler) write(w http.ResponseWriter, media string, status int, payload []byte) {
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(responseTimeout)) // a reader that stopped must not keep the answer
	w.WriteHeader(status)
	_, _ = w.Write(payload) // nobody is left to tell
}
