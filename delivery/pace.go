package delivery

import (
	"context"
	"time"

	"github.com/hark-events/hark"
)

// A second is the starts of a subscription with a pace within the last second.
// The queue gives each attempt a time of its own; on a machine that is short of
// time some come late, and the next ones on time: then there could be too many.
type second []time.Time

// admit notes a start now, one of at most n + 1 in any second, or tells how long
// it has to wait.
func (s *second) admit(now time.Time, n int) (wait time.Duration) {
	for len(*s) > 0 && now.Sub((*s)[0]) >= time.Second {
		*s = (*s)[1:]
	}
	if len(*s) > n {
		return time.Second - now.Sub((*s)[0])
	}
	*s = append(*s, now)
	return 0
}

// await waits until an attempt of l may start: at the time that it was given,
// or later by the pace.
func (w *Worker) await(ctx context.Context, l *line, s *hark.Subscription, at time.Time) {
	wait(ctx, time.Until(at))
	if s == nil || s.MaxPerSecond == 0 {
		return
	}
	for ctx.Err() == nil {
		w.mu.Lock()
		left := l.second.admit(time.Now(), s.MaxPerSecond)
		w.mu.Unlock()
		if left <= 0 {
			return
		}
		wait(ctx, left)
	}
}
