package webhook_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	"github.com/hark-events/hark/delivery/webhook"
)

// BenchmarkWorker measures whole deliveries: from the queue in memory through
// worker and driver to a subscriber on loopback that shares the processors, and
// back to the queue as outcomes.
func BenchmarkWorker(b *testing.B) {
	for _, concurrency := range []int{64, 256, 1024} {
		for _, subscriptions := range []int{1, 100} {
			b.Run(fmt.Sprintf("slots=%d/subscriptions=%d", concurrency, subscriptions), func(b *testing.B) {
				benchmarkWorker(b, concurrency, subscriptions)
			})
		}
	}
}

func benchmarkWorker(b *testing.B, concurrency, subscriptions int) {
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer sink.Close()
	transport := &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096}
	defer transport.CloseIdleConnections()
	driver := webhook.New(&http.Client{Transport: transport}, delivery.NewAuthorizer(http.DefaultClient), delivery.Signer{}, "hark/bench")

	var done atomic.Int64
	all := make(chan struct{})
	q := deliverytest.Queue{OnRecord: func(a *hark.Attempt) {
		if a.Status != hark.Succeeded {
			b.Error(a.Error)
		}
		if done.Add(1) == int64(b.N) {
			close(all)
		}
	}}
	event := deliverytest.Event()
	for i := range subscriptions {
		s := deliverytest.Subscription(hark.HTTP, sink.URL)
		s.MaxInFlight = 64
		q.Subscribe(s)
		n := b.N / subscriptions
		if i < b.N%subscriptions {
			n++
		}
		q.Add(s.ID, event, n, 0)
	}
	w := delivery.NewWorker(&q, delivery.Drivers{hark.HTTP: driver}, slog.New(slog.DiscardHandler), delivery.Config{Concurrency: concurrency})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { ended <- w.Run(ctx) }()
	<-all
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
