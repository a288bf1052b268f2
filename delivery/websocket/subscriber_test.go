package websocket

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

// A peer is a subscriber's end of a connection.
type peer struct {
	t      *testing.T
	ws     *websocket.Conn
	raw    net.Conn
	header http.Header
}

// serve runs a subscriber until the test ends: accept, unless nil, refuses an
// upgrade by answering it; talk has each connection until it returns.
func serve(t *testing.T, accept http.HandlerFunc, talk func(*peer)) string {
	t.Helper()
	var talking sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		talking.Add(1)
		defer talking.Done()
		h := &hijacked{ResponseWriter: w}
		if accept != nil {
			if accept(h, r); h.answered {
				return
			}
		}
		ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow() // it may be closed
		ws.SetReadLimit(1 << 20)
		talk(&peer{t, ws, h.conn, r.Header})
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		talking.Wait()
	})
	return "ws" + server.URL[len("http"):]
}

// hijacked keeps the connection below a WebSocket.
type hijacked struct {
	http.ResponseWriter
	conn     net.Conn
	answered bool
}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := h.ResponseWriter.(http.Hijacker).Hijack()
	h.conn = conn
	return conn, rw, err
}

func (h *hijacked) WriteHeader(code int) {
	h.answered = h.answered || code != http.StatusSwitchingProtocols
	h.ResponseWriter.WriteHeader(code)
}

// next gives the delivery id of the next message; empty: the connection ended.
func (p *peer) next() string {
	kind, text, err := p.ws.Read(context.Background())
	if err != nil {
		return ""
	}
	var m struct{ DeliveryID string }
	if err := json.Unmarshal(text, &m); err != nil || m.DeliveryID == "" || kind != websocket.MessageText {
		p.t.Errorf("message %v %.300q: %v", kind, text, err)
	}
	return m.DeliveryID
}

func (p *peer) say(text string) {
	_ = p.ws.Write(context.Background(), websocket.MessageText, []byte(text))
}

func (p *peer) ack(id string) { p.say(`{"ack":"` + id + `"}`) }

// ackAll acknowledges until the connection ends.
func (p *peer) ackAll() {
	for id := p.next(); id != ""; id = p.next() {
		p.ack(id)
	}
}

// wait waits until the connection ends.
func (p *peer) wait() error {
	for {
		if _, _, err := p.ws.Read(context.Background()); err != nil {
			return err
		}
	}
}

func newDriver(t *testing.T, transport *http.Transport, auth *delivery.Authorizer, orders Orders) *Driver {
	t.Helper()
	if auth == nil {
		auth = delivery.NewAuthorizer(http.DefaultClient)
	}
	caller := delivery.NewCaller(&http.Client{Transport: transport}, auth, delivery.Signer{}, "hark/test")
	dr := New(caller, orders, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { dr.Close(); transport.CloseIdleConnections() })
	return dr
}

// deliver makes one attempt at a new delivery.
func deliver(t *testing.T, dr *Driver, s *hark.Subscription) (delivery.Receipt, error) {
	t.Helper()
	return attempt(t, dr, s, 5*time.Second)
}

func attempt(t *testing.T, dr *Driver, s *hark.Subscription, timeout time.Duration) (delivery.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return dr.Deliver(ctx, s, deliverytest.Delivery(s, deliverytest.Event()))
}

func subscription(endpoint string) *hark.Subscription {
	return deliverytest.Subscription(hark.WebSocket, endpoint)
}

// behave is a subscriber of the suite.
func behave(t *testing.T, b deliverytest.Behaviour, saw func(deliverytest.Call)) string {
	var mu sync.Mutex
	hungUp := false
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case b == deliverytest.Refuses:
			w.WriteHeader(http.StatusGone)
		case b == deliverytest.Unauthorized && r.Header.Get("Authorization") == "Bearer token-1":
			saw(deliverytest.Call{Header: r.Header.Get})
			w.WriteHeader(http.StatusUnauthorized)
		}
	}, func(p *peer) {
		for id := p.next(); id != ""; id = p.next() {
			saw(deliverytest.Call{DeliveryID: id, Header: p.header.Get})
			switch b {
			case deliverytest.Fails:
				p.say(`{"nack":"` + id + `","reason":"try later"}`)
			case deliverytest.Echoes:
				text, _ := json.Marshal(map[string]string{"nack": id, "reason": headerText(p.header)})
				p.say(string(text))
			case deliverytest.Hangs:
			case deliverytest.Drips: // a frame of 4 KiB, byte by byte
				_, err := p.raw.Write([]byte{0x81, 126, 0x10, 0x00})
				for tick := time.NewTicker(10 * time.Millisecond); err == nil; <-tick.C {
					_, err = p.raw.Write([]byte("{"))
				}
			case deliverytest.Endless: // fragments without a last one
				w, err := p.ws.Writer(context.Background(), websocket.MessageText)
				for err == nil {
					_, err = w.Write(make([]byte, 64<<10))
				}
			case deliverytest.Huge:
				_, err := p.raw.Write([]byte{0x81, 127, 0, 0, 0, 0, 0x40, 0, 0, 0})
				for err == nil {
					_, err = p.raw.Write(make([]byte, 64<<10))
				}
			case deliverytest.HangsUp:
				mu.Lock()
				first := !hungUp
				hungUp = true
				mu.Unlock()
				if first {
					return
				}
				p.ack(id)
			default:
				p.ack(id)
			}
		}
	})
}

func headerText(h http.Header) string {
	r, w := io.Pipe()
	go func() { _ = w.CloseWithError(h.Write(w)) }()
	text, _ := io.ReadAll(r)
	return string(text)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(nil)
	away.Close()
	guard := func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("127.0.0.1 is a loopback address")
	}
	deliverytest.Run(t, deliverytest.Subject{
		Protocol: hark.WebSocket,
		Driver: func(t *testing.T, auth *delivery.Authorizer) delivery.Driver {
			return newDriver(t, &http.Transport{}, auth, nil)
		},
		Guarded: func(t *testing.T, auth *delivery.Authorizer) delivery.Driver {
			return newDriver(t, &http.Transport{DialContext: guard}, auth, nil)
		},
		Refusal: "127.0.0.1 is a loopback address",
		Subscriber: func(t *testing.T, b deliverytest.Behaviour, saw func(deliverytest.Call)) (string, bool) {
			return behave(t, b, saw) + "/events?key=query-secret-of-the-suite", true
		},
		Unreachable: "ws" + away.URL[len("http"):],
	})
}
