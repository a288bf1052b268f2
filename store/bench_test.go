package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

// durable are the databases as in production: what is committed is on the disk.
func durable(b *testing.B, bench func(b *testing.B, st *store.Store)) {
	b.Run("sqlite", func(b *testing.B) { bench(b, testkit.Store(b)) })
	b.Run("postgres", func(b *testing.B) { bench(b, testkit.OpenStore(b, testkit.PostgresServer(b, true).URL())) })
}

// payload500 makes a row of about 500 bytes.
func payload500() hark.JSON { return hark.JSON(fmt.Sprintf(`{"data":"%0400d"}`, 7)) }

func BenchmarkAppend(b *testing.B) {
	durable(b, func(b *testing.B, st *store.Store) {
		for _, deliveries := range []int{0, 1} {
			var m matcher
			for range deliveries {
				m = append(m, store.Match{SubscriptionID: subscribe(b, st), Version: 1, Status: hark.Pending, Lease: time.Minute})
			}
			for _, size := range []int{1, 100, 1000} {
				b.Run(fmt.Sprintf("events=%d/deliveries=%d", size, deliveries), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						events := newEvents(size)
						for _, e := range events {
							e.Payload = payload500()
						}
						appendTo(b, st, m, events...)
					}
					b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
				})
			}
		}
	})
}

// BenchmarkCycle claims 100 deliveries and records their outcomes.
func BenchmarkCycle(b *testing.B) {
	durable(b, func(b *testing.B, st *store.Store) {
		for _, waiting := range []int{1000, 100_000} {
			b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
				sub := subscribe(b, st)
				m := matcher{{SubscriptionID: sub, Version: 1, Status: hark.Pending}}
				for range waiting / 1000 {
					appendTo(b, st, m, newEvents(1000)...)
				}
				b.ReportAllocs()
				for b.Loop() {
					done := make([]*hark.Attempt, 0, 100)
					for _, d := range claim(b, st, sub, 100) {
						done = append(done, outcome(d, hark.Succeeded, 0))
					}
					if err := st.Record(b.Context(), done); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					appendTo(b, st, m, newEvents(100)...)
					b.StartTimer()
				}
				b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "deliveries/s")
			})
		}
	})
}

// BenchmarkTrim takes events with a delivery and an attempt each.
func BenchmarkTrim(b *testing.B) {
	durable(b, func(b *testing.B, st *store.Store) {
		m := matcher{{SubscriptionID: subscribe(b, st), Version: 1, Status: hark.Pending, Lease: time.Hour}}
		taken := 0
		for b.Loop() {
			b.StopTimer()
			for range 10 {
				r := appendTo(b, st, m, newEvents(1000)...)
				var done []*hark.Attempt
				for _, d := range r.Leased {
					done = append(done, outcome(d, hark.Succeeded, 0))
				}
				if err := st.Record(b.Context(), done); err != nil {
					b.Fatal(err)
				}
				taken += 1000
			}
			b.StartTimer()
			for more := true; more; {
				var err error
				if more, err = st.Trim(b.Context(), hark.Now()); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(taken)/b.Elapsed().Seconds(), "events/s")
	})
}
