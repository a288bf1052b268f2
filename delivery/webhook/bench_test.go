package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	"github.com/hark-events/hark/delivery/webhook"
)

func BenchmarkWorker(b *testing.B) {
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer sink.Close()
	transport := &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096}
	defer transport.CloseIdleConnections()
	driver := webhook.New(&http.Client{Transport: transport}, delivery.NewAuthorizer(http.DefaultClient), delivery.Signer{}, "hark/bench")
	deliverytest.Benchmark(b, hark.HTTP, driver, sink.URL)
}
