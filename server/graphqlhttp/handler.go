package graphqlhttp

import (
	"net/http"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// responseTimeout is how long an answer may take to be read.
const responseTimeout = 30 * time.Second

// A Handler answers POST and GET of /graphql.
type Handler struct {
	executor *operation.Executor
	groups   *stream.Groups
	access   authority.Access
	audience *audience.Audience
}

// New makes a Handler, whose streams end when the audience goes home.
func New(e *operation.Executor, g *stream.Groups, a authority.Access, au *audience.Audience) *Handler {
	return &Handler{executor: e, groups: g, access: a, audience: au}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	accept := negotiate(r.Header)
	r, err := authority.Authenticate(r, h.access)
	if err != nil { // before anything is parsed
		h.refuse(w, r, accept, err)
		return
	}
	var req operation.Request
	var bad *refusal
	switch r.Method {
	case http.MethodPost:
		req, bad = fromBody(w, r)
	case http.MethodGet:
		req, bad = fromURL(r.URL.Query())
	default:
		w.Header().Set("Allow", "GET, POST")
		bad = refuse(http.StatusMethodNotAllowed, "GraphQL is served by POST and GET")
	}
	switch {
	case bad != nil:
		h.write(w, accept.or(typeJSON), bad.status, h.executor.Refuse(r.Context(), bad.err).Payload)
		return
	case accept.json == "" && !accept.mayStream():
		h.write(w, typeJSON, http.StatusNotAcceptable, h.executor.Refuse(r.Context(), hark.Errorf(hark.BadUserInput,
			"hark answers as application/graphql-response+json, application/json or text/event-stream: accept one of them")).Payload)
		return
	}
	req.After = r.Header.Get("Last-Event-ID")
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
	case r.Method == http.MethodGet && op.Kind() != ast.Query:
		w.Header().Set("Allow", "POST")
		h.write(w, accept.or(typeJSON), http.StatusMethodNotAllowed, h.executor.Refuse(r.Context(), hark.Errorf(hark.BadUserInput,
			"GET is for queries only: send the %s by POST", op.Kind())).Payload)
	case subscription && !accept.mayStream():
		h.write(w, accept.or(typeJSON), http.StatusNotAcceptable, h.executor.Refuse(r.Context(), hark.Errorf(hark.BadUserInput,
			"a subscription is answered as a stream: use a WebSocket, or POST with Accept: text/event-stream")).Payload)
	case subscription && h.audience.Draining():
		w.Header().Set("Retry-After", "1")
		h.write(w, accept.or(typeJSON), http.StatusServiceUnavailable, h.executor.Refuse(r.Context(), hark.Errorf(hark.RateLimited,
			"this node is stopping: subscribe again")).Payload)
	case subscription || accept.wantsEvents():
		h.stream(w, r, op)
	default:
		a := op.Execute(r.Context())
		h.write(w, accept.json, status(accept.json, a), a.Payload)
	}
}

// refuse answers that the operation does not run.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, accept accepted, err error) {
	a := h.executor.Refuse(r.Context(), err)
	wire.SetHeaders(w.Header(), a.Refused)
	if code := status(typeResponse, a); accept.wantsEvents() && code != http.StatusUnauthorized && r.Method == http.MethodPost {
		h.answer(w, a) // EventSource clients see no body of an error
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
