package websocket

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

// mute takes everything in and says nothing until it is closed.
type mute struct {
	once   sync.Once
	closed chan struct{}
}

func (m *mute) Read([]byte) (int, error) {
	<-m.closed
	return 0, io.EOF
}

func (m *mute) Write(b []byte) (int, error) { return len(b), nil }

func (m *mute) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// vanished upgrades to connections whose other end is gone without a word.
type vanished struct{ dials []time.Time }

func (v *vanished) RoundTrip(req *http.Request) (*http.Response, error) {
	v.dials = append(v.dials, time.Now())
	resp, err := canned(nil).RoundTrip(req)
	resp.Body = &mute{closed: make(chan struct{})}
	return resp, err
}

// TestVanished shows that a connection whose other end has vanished is found:
// at once when an attempt times out on it, else by a ping every 30 s.
func TestVanished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: &vanished{}}
		dr := New(delivery.NewCaller(client, delivery.NewAuthorizer(client), delivery.Signer{}, "hark/test"), nil, slog.New(slog.DiscardHandler))
		defer dr.Close()
		s := subscription("ws://events.test/")
		try := func(timeout time.Duration) (string, time.Duration) {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			r, err := dr.Deliver(ctx, s, deliverytest.Delivery(s, deliverytest.Event()))
			if err == nil || r.StatusCode != delivery.NoAnswer {
				t.Fatalf("%+v, %v", r, err)
			}
			return err.Error(), time.Since(began)
		}
		if words, _ := try(time.Second); words != "timed out after 1 s waiting for an ack" {
			t.Errorf("error %q", words)
		}
		if words, took := try(time.Minute); words != "the subscriber did not answer a ping" || took != pongTimeout {
			t.Errorf("after %v: error %q", took, words)
		}
		// The next connection was made after a back-off; nobody times out on it.
		if words, took := try(time.Minute); words != "the subscriber did not answer a ping" || took < pingEvery+pongTimeout+firstWait || took > pingEvery+pongTimeout+2*firstWait {
			t.Errorf("after %v: error %q", took, words)
		}
	})
}
