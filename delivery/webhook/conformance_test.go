package webhook_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	"github.com/hark-events/hark/delivery/webhook"
)

func newDriver(t *testing.T, transport *http.Transport, auth *delivery.Authorizer) *webhook.Driver {
	t.Cleanup(transport.CloseIdleConnections)
	if auth == nil {
		auth = delivery.NewAuthorizer(http.DefaultClient)
	}
	return webhook.New(&http.Client{Transport: transport}, auth, delivery.Signer{}, "hark/test")
}

// serve answers callbacks with h until the test ends.
func serve(t *testing.T, h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

func TestConformance(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(nil)
	away.Close()
	deliverytest.Run(t, deliverytest.Subject{
		Protocol: hark.HTTP,
		Driver: func(t *testing.T, auth *delivery.Authorizer) delivery.Driver {
			return newDriver(t, &http.Transport{}, auth)
		},
		Guarded: func(t *testing.T, auth *delivery.Authorizer) delivery.Driver {
			guard := net.Dialer{Control: func(string, string, syscall.RawConn) error {
				return errors.New("127.0.0.1 is a loopback address")
			}}
			return newDriver(t, &http.Transport{DialContext: guard.DialContext}, auth)
		},
		Refusal: "127.0.0.1 is a loopback address",
		Subscriber: func(t *testing.T, b deliverytest.Behaviour, saw func(deliverytest.Call)) (string, bool) {
			var calls atomic.Int32
			return serve(t, func(w http.ResponseWriter, r *http.Request) {
				if b == deliverytest.HangsUp && calls.Add(1) == 1 {
					panic(http.ErrAbortHandler)
				}
				saw(deliverytest.Call{DeliveryID: r.Header.Get("webhook-id"), Header: r.Header.Get})
				behave(t, b, w, r)
			}) + "/hook?key=query-secret-of-the-suite", true
		},
		Unreachable: away.URL + "/hook?key=query-secret-of-the-suite",
	})
}

func behave(t *testing.T, b deliverytest.Behaviour, w http.ResponseWriter, r *http.Request) {
	switch b {
	case deliverytest.Acknowledges:
		w.WriteHeader(http.StatusNoContent)
	case deliverytest.Fails:
		http.Error(w, "try later", http.StatusServiceUnavailable)
	case deliverytest.Refuses:
		w.WriteHeader(http.StatusGone)
	case deliverytest.Unauthorized:
		if r.Header.Get("Authorization") == "Bearer token-1" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	case deliverytest.Echoes:
		w.WriteHeader(http.StatusBadRequest)
		_ = r.Header.Write(w)
	case deliverytest.Hangs:
		select {
		case <-r.Context().Done():
		case <-t.Context().Done():
		}
	case deliverytest.Drips:
		w.WriteHeader(http.StatusInternalServerError)
		for tick := time.NewTicker(10 * time.Millisecond); r.Context().Err() == nil; <-tick.C {
			_, _ = w.Write([]byte("."))
			w.(http.Flusher).Flush()
		}
	case deliverytest.Huge:
		w.Header().Set("Content-Length", "1000000000")
		fallthrough
	case deliverytest.Endless:
		w.WriteHeader(http.StatusInternalServerError)
		for text := []byte(strings.Repeat("x", 1<<16)); ; {
			if _, err := w.Write(text); err != nil {
				return
			}
		}
	}
}
