package main

import (
	"fmt"
	"slices"
	"time"
)

// latencies are durations in any order.
type latencies []time.Duration

// quantile gives the duration below which the share q of them lies. It sorts them.
func (l latencies) quantile(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(len(l)-1, int(q*float64(len(l))))]
}

func (l latencies) String() string {
	return fmt.Sprintf("p50 %s p99 %s", l.quantile(.5).Round(10*time.Microsecond), l.quantile(.99).Round(10*time.Microsecond))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
