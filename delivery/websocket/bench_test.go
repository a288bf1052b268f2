package websocket

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

func BenchmarkWorker(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
		if err != nil {
			b.Error(err)
			return
		}
		defer ws.CloseNow() // it may be closed
		for {
			_, text, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			_, rest, _ := bytes.Cut(text, []byte(`"deliveryId":"`))
			if err := ws.Write(context.Background(), websocket.MessageText, []byte(`{"ack":"`+string(rest[:36])+`"}`)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	caller := delivery.NewCaller(&http.Client{Transport: &http.Transport{}}, delivery.NewAuthorizer(http.DefaultClient), delivery.Signer{}, "hark/bench")
	driver := New(caller, nil, slog.New(slog.DiscardHandler))
	defer driver.Close()
	deliverytest.Benchmark(b, hark.WebSocket, driver, "ws"+server.URL[len("http"):])
}
