package deliverytest

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// Benchmark measures whole deliveries: from the queue in memory through worker
// and driver to a subscriber on loopback that shares the processors, and back
// to the queue as outcomes.
func Benchmark(b *testing.B, p hark.CallbackProtocol, driver delivery.Driver, endpoint string) {
	for _, concurrency := range []int{64, 256, 1024} {
		for _, subscriptions := range []int{1, 100} {
			b.Run(fmt.Sprintf("slots=%d/subscriptions=%d", concurrency, subscriptions), func(b *testing.B) {
				subs := make([]*hark.Subscription, subscriptions)
				for i := range subs {
					subs[i] = Subscription(p, endpoint)
					subs[i].MaxInFlight = 64
				}
				benchmark(b, delivery.Drivers{p: driver}, subs, concurrency)
			})
		}
	}
}

func benchmark(b *testing.B, drivers delivery.Drivers, subs []*hark.Subscription, concurrency int) {
	var done atomic.Int64
	all := make(chan struct{})
	q := Queue{OnRecord: func(a *hark.Attempt) {
		if a.Status != hark.Succeeded {
			b.Error(a.Error)
		}
		if done.Add(1) == int64(b.N) {
			close(all)
		}
	}}
	event := Event()
	for i, s := range subs {
		q.Subscribe(s)
		n := b.N / len(subs)
		if i < b.N%len(subs) {
			n++
		}
		q.Add(s.ID, event, n, 0)
	}
	w := delivery.NewWorker(&q, drivers, slog.New(slog.DiscardHandler), delivery.Config{Concurrency: concurrency})
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
