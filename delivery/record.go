package delivery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hark-events/hark"
)

// ended notes that an attempt has ended; a is nil if it does not count.
func (w *Worker) ended(l *line, a *hark.Attempt, leave bool) {
	w.mu.Lock()
	w.unrecorded++
	if a != nil {
		if l.failing = a.Error != ""; !l.failing {
			l.failures, l.rests = 0, false
		} else if l.failures++; l.failures >= forgoAfter && len(l.ahead) > 0 {
			// What comes next is for the queue to say, which knows of the circuit.
			w.back = append(w.back, w.forgo(l)...)
			l.backlog = true
			w.signal()
		}
		l.took = a.Duration
	}
	if leave {
		w.give(l, 1)
		w.settle(l)
	}
	again := w.waiting()
	w.mu.Unlock()
	if again {
		w.signal()
	}
}

// recorded notes that an outcome is stored, or given up; a is nil if there was none.
func (w *Worker) recorded(l *line, a *hark.Attempt, leave bool) {
	w.mu.Lock()
	w.unrecorded--
	if a != nil && a.Status == hark.Pending {
		w.remind(l, a.NextAt)
	}
	if leave {
		w.give(l, 1)
		w.settle(l)
	}
	w.checkDrained()
	again := w.waiting()
	w.mu.Unlock()
	if again {
		w.signal()
	}
}

// record stores an outcome together with others. While the queue is in trouble
// it goes on with back-off until the lease runs out: then somebody else makes
// the attempt again.
func (w *Worker) record(ctx context.Context, a *hark.Attempt) {
	until := a.Delivery.LeasedUntil.Time()
	pause := 100 * time.Millisecond
	for {
		// The end of the drain does not cut a transaction, only the waiting for the next.
		err := w.outcomes.Do(context.WithoutCancel(ctx), a)
		if err == nil {
			return
		}
		// Spread, so that one outcome that the database refuses meets others each time.
		wait(ctx, pause+rand.N(pause))
		pause = min(2*pause, 5*time.Second)
		if ctx.Err() != nil || !time.Now().Before(until) {
			w.log.ErrorContext(ctx, "delivery.outcome_lost", "subscription", a.Delivery.SubscriptionID,
				"delivery", a.Delivery.ID, "attempt", a.Delivery.Attempt, "decision", a.Status, "err", err)
			return
		}
	}
}

// commit stores a batch of outcomes. It logs trouble itself, once for all who wait.
func (w *Worker) commit(ctx context.Context, attempts []*hark.Attempt) error {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	if err := w.queue.Record(ctx, attempts); err != nil {
		w.log.ErrorContext(ctx, "delivery.record", "attempts", len(attempts), "err", err)
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// outcomeSize is what an outcome weighs in a batch: its text and some columns.
func outcomeSize(a *hark.Attempt) int { return len(a.ResponseBody) + len(a.Error) + 128 }
