package store_test

import (
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

// BenchmarkMillion times what must not depend on the million deliveries that wait.
func BenchmarkMillion(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": testkit.Store, "postgres": testkit.PostgresStore} {
		b.Run(name, func(b *testing.B) {
			st := open(b)
			for _, rows := range []int{1000, 1_000_000} {
				sub := subscribe(b, st)
				m := matcher{{SubscriptionID: sub, Status: hark.Pending}}
				for range rows / 1000 {
					appendTo(b, st, m, newEvents(1000)...)
				}
				for what, f := range map[string]func(){
					"claim": func() { claim(b, st, sub, 10) },
					"head":  func() { claimAll(b, st, time.Minute, hark.Want{Subscription: sub, N: 1, Ordered: true}) },
					"due":   func() { _, _ = st.Due(b.Context(), hark.ID{}, 100) },
					"trim":  func() { _, _ = st.Trim(b.Context(), 1) },
					"pause": func() { pauseAndResume(b, st, sub) },
				} {
					start := time.Now()
					for range 10 {
						f()
					}
					b.ReportMetric(float64(time.Since(start).Microseconds())/10, what+"-µs/"+map[int]string{1000: "1k", 1_000_000: "1M"}[rows])
				}
			}
		})
	}
}

func pauseAndResume(b *testing.B, st *store.Store, sub hark.ID) {
	pause(b, st, sub)
	resume(b, st, sub)
}
