package delivery_test

import (
	"context"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

// BenchmarkHandOver measures what the worker itself costs a delivery: handed
// over by a publisher, to a driver that does nothing.
func BenchmarkHandOver(b *testing.B) {
	var q deliverytest.Queue
	s := deliverytest.Subscription(hark.HTTP, "http://subscriber.test")
	q.Subscribe(s)
	warm := make(chan struct{})
	var attempts atomic.Int64
	q.OnRecord = func(*hark.Attempt) {
		if attempts.Add(1) == 1 {
			close(warm)
		}
	}
	nothing := driverFunc(func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) { return ok, nil })
	w := delivery.NewWorker(&q, delivery.Drivers{hark.HTTP: nothing}, slog.New(slog.DiscardHandler), delivery.Config{})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	event := deliverytest.Event()
	q.Add(s.ID, event, 1, 0)
	w.Wake()
	<-warm
	b.ReportAllocs()
	for b.Loop() {
		for !reserve(w, s) {
			runtime.Gosched()
		}
		w.Start(q.Add(s.ID, event, 1, delivery.Lease(s.Timeout)))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
