package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// upgrade builds the request for an upgrade, signed over an empty body as in
// Standard Webhooks, with an id of its own.
func (dr *Driver) upgrade(s *hark.Subscription) (*http.Request, error) {
	return dr.caller.Request(s, &hark.Delivery{ID: hark.NewID()}, http.MethodGet, make(http.Header, 16), nil)
}

// dial makes a connection for s, which is to be started. It tells lost when it has ended.
func (dr *Driver) dial(ctx context.Context, s *hark.Subscription, lost func(c *conn, answered bool)) (*conn, *outcome) {
	req, err := dr.upgrade(s)
	if err != nil {
		return nil, noAnswer(err)
	}
	h := &handshake{caller: dr.caller, sub: s}
	ws, _, err := websocket.Dial(ctx, s.Endpoint, &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     h,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPHeader:   req.Header,
		Subprotocols: []string{subprotocol},
	})
	if err != nil {
		return nil, h.refusal(err)
	}
	c := newConn(ws, h.stream, h.answer.Redact, lost)
	c.refused = func() bool { return dr.caller.Renew(s, h.answer) }
	if ws.Subprotocol() != subprotocol {
		c.abandon()
		return nil, &outcome{receipt: h.answer.Receipt(), err: errors.New("the endpoint did not agree to the subprotocol " + subprotocol)}
	}
	return c, nil
}

// A handshake is the transport of one upgrade.
type handshake struct {
	caller *delivery.Caller
	sub    *hark.Subscription

	answer *delivery.Answer // nil: none came
	err    error            // why
	stream *stream          // nil: refused
}

// RoundTrip implements http.RoundTripper.
func (h *handshake) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
	a, resp, err := h.caller.Upgrade(req.Context(), h.sub, req)
	h.answer, h.err = a, err
	switch {
	case err != nil:
		return nil, err
	case resp == nil:
		return &http.Response{StatusCode: a.Status, Header: a.Header, Body: http.NoBody, Request: req}, nil
	}
	connection, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return nil, fmt.Errorf("the body of a %d is no connection", resp.StatusCode)
	}
	h.stream = &stream{ReadWriteCloser: connection}
	resp.Body = h.stream
	return resp, nil
}

// refusal says why there is no connection, where Dial says err.
func (h *handshake) refusal(err error) *outcome {
	switch {
	case h.err != nil:
		return noAnswer(h.err)
	case h.answer == nil:
		return noAnswer(errors.New(delivery.Explain(err, "connecting", 0)))
	case h.stream != nil:
		_, wrong, _ := strings.Cut(err.Error(), "WebSocket protocol violation: ") // what the library found in the headers of the 101
		return &outcome{receipt: h.answer.Receipt(), err: errors.New(because("the endpoint did not upgrade as it should", h.answer.Redact(wrong)))}
	case h.answer.Failure == nil:
		return &outcome{receipt: h.answer.Receipt(), err: fmt.Errorf("answered %d and did not upgrade to WebSocket", h.answer.Status)}
	}
	return &outcome{receipt: h.answer.Receipt(), err: h.answer.Failure}
}

// A stream is the connection below a WebSocket. The library writes control
// frames to it, and beside it a conn writes messages.
type stream struct {
	io.ReadWriteCloser
	mu sync.Mutex
}

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ReadWriteCloser.Write(b)
}
