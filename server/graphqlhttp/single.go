package graphqlhttp

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/following"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/server/sse"
	"github.com/hark-events/hark/stream"
)

// streamToken gives the reservation that a request belongs to; empty: none.
func streamToken(r *http.Request) string {
	if t := r.Header.Get("X-GraphQL-Event-Stream-Token"); t != "" {
		return t
	}
	return r.URL.Query().Get("token")
}

func notFound() *rejection {
	return &rejection{http.StatusNotFound, hark.Errorf(hark.NotFound, "there is no such reservation on this node: make one with PUT")}
}

// single answers the requests of graphql-sse in its single connection mode.
func (h *Handler) single(w http.ResponseWriter, r *http.Request, accept accepted, token string) {
	if r.Method == http.MethodPut {
		h.put(w, r, accept)
		return
	}
	v, _ := hark.ViewerFrom(r.Context()) // nil: nobody says who he is
	res := h.reservations.find(token, v)
	switch {
	case res == nil:
		h.reject(w, r, accept, notFound())
	case r.Method == http.MethodDelete:
		h.stop(w, r, accept, res)
	case r.Method == http.MethodGet && r.URL.Query().Get("query") == "", accept.form == events{} && accept.json == "":
		h.openSingle(w, r, accept, res)
	default:
		h.start(w, r, accept, res)
	}
}

// put makes a reservation and answers with its token.
func (h *Handler) put(w http.ResponseWriter, r *http.Request, accept accepted) {
	v, err := hark.ViewerFrom(r.Context())
	if err != nil {
		h.refuse(w, r, accepted{json: typeResponse}, err)
		return
	}
	if h.audience.Draining() {
		h.reject(w, r, accept, stopping(w))
		return
	}
	seat, err := h.enter(v)
	if err != nil {
		h.refuse(w, r, accepted{json: typeResponse}, err)
		return
	}
	ctx, cancel := lasting(r)
	res := h.reserve(ctx, cancel, v, seat)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, res.token) // without it the reservation ends by itself
}

// openSingle opens the stream of a reservation.
func (h *Handler) openSingle(w http.ResponseWriter, r *http.Request, accept accepted, res *reservation) {
	if res.isOpen() {
		h.reject(w, r, accept, &rejection{http.StatusConflict, hark.Errorf(hark.Conflict, "the reservation has its stream: make another one with PUT")})
		return
	}
	s := socket.Open(w, r, h.poller, sse.Media)
	_ = s.Write([]byte(retry + "\n")) // a failure shows at the next write
	if !res.open(s) {
		s.Close() // another one was faster
		return
	}
	s.Beat(heartbeat, events{}.sign())
	s.Serve(func() { res.end(context.WithoutCancel(r.Context()), errNoStream) })
}

// start starts an operation, which is answered in the stream.
func (h *Handler) start(w http.ResponseWriter, r *http.Request, accept accepted, res *reservation) {
	req, bad := read(w, r)
	if bad != nil {
		h.reject(w, r, accept, bad)
		return
	}
	var extensions struct {
		OperationID string `json:"operationId"`
	}
	if json.Unmarshal(req.Extensions, &extensions) != nil || extensions.OperationID == "" {
		h.reject(w, r, accept, reject(http.StatusBadRequest, "extensions.operationId is missing: an id that tells the answers apart"))
		return
	}
	viewer, _, err := res.session.Current()
	if _, anonymous := hark.ViewerFrom(r.Context()); err == nil && anonymous != nil {
		// Who says by the URL alone who he is has not been counted; his address has.
		err = res.session.Admit(hark.WithOrigin(r.Context(), hark.Origin{}))
	}
	if err != nil {
		h.refuse(w, r, accept, err)
		return
	}
	op, err := h.executor.Prepare(hark.WithViewer(r.Context(), viewer), req)
	if err == nil && r.Method == http.MethodGet && op.Kind() == ast.Mutation {
		err = hark.Errorf(hark.BadUserInput, "send the mutation by POST")
	}
	if err != nil {
		h.refuse(w, r, accepted{json: typeResponse}, err) // a 200 would have clients wait for answers in the stream
		return
	}
	ctx, cancel := lasting(r)
	o := &single{reservation: res, id: extensions.OperationID, cancel: cancel, stopped: ctx.Done()}
	o.following = following.New(res.session, h.groups, o)
	if bad := res.add(o); bad != nil {
		o.cancel()
		h.reject(w, r, accept, bad)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	if op.Kind() == ast.Subscription {
		go o.following.Run(ctx, op.Source(), r.Header.Get("Last-Event-ID"))
	} else {
		go o.following.Once(ctx, op.Answer)
	}
}

// stop stops an operation for the client.
func (h *Handler) stop(w http.ResponseWriter, r *http.Request, accept accepted, res *reservation) {
	id := r.URL.Query().Get("operationId")
	if id == "" {
		h.reject(w, r, accept, reject(http.StatusBadRequest, "operationId is missing: which operation is to be stopped"))
		return
	}
	if o := res.operation(id); o != nil {
		o.stop()
		res.remove(o)
	}
	w.WriteHeader(http.StatusOK)
}

// A single is one operation of a reservation.
type single struct {
	*reservation
	id        string
	cancel    context.CancelFunc
	stopped   <-chan struct{} // closed by cancel
	following *following.Following
}

var _ following.Out = (*single)(nil)

// stop stops the operation; nothing of it is written any more.
func (o *single) stop() {
	o.cancel()
	o.following.Stop()
}

// Begin does nothing: a stream of many operations has no one place in a log.
func (*single) Begin(hark.Cursor) {}

// End tells that the operation is over.
func (o *single) End(ctx context.Context, why error) {
	defer o.cancel()
	o.remove(o)
	last := o.executor.Last(ctx, why)
	if last != nil && last.Draining {
		o.reservation.end(ctx, why)
		return
	}
	var b []byte
	if last != nil {
		b = o.Append(b, stream.Frame{Payload: last.Payload})
	}
	_ = o.Write(sse.AppendFrame(b, "", "complete", o.envelope(nil))) // who is gone needs no word
}

// Lane names the operation.
func (o *single) Lane() string { return o.id }

// Append appends the frame of one result.
func (o *single) Append(b []byte, f stream.Frame) []byte {
	return sse.AppendFrame(b, "", "next", o.envelope(f.Payload))
}

// envelope is what stands in a frame of the operation.
func (o *single) envelope(payload []byte) []byte {
	quoted, _ := json.Marshal(o.id) // a string always can be
	b := append(append(make([]byte, 0, len(quoted)+len(payload)+24), `{"id":`...), quoted...)
	if payload != nil {
		b = append(append(b, `,"payload":`...), payload...)
	}
	return append(b, '}')
}

// TryWrite writes frames without waiting, for the stream neither.
func (o *single) TryWrite(b []byte) error {
	select {
	case <-o.opened:
		return o.response.TryWrite(b)
	default:
		return stream.ErrBusy
	}
}

// Flush waits until all is written.
func (o *single) Flush() error {
	if err := o.wait(); err != nil {
		return err
	}
	return o.response.Flush()
}

// Write writes frames, and waits.
func (o *single) Write(b []byte) error {
	if err := o.wait(); err != nil {
		return err
	}
	return o.response.Write(b)
}

// wait waits for the stream.
func (o *single) wait() error {
	select {
	case <-o.opened:
		return nil
	case <-o.stopped:
		return errNoStream
	}
}
