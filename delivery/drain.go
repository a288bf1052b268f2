package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hark-events/hark"
)

// drainGrace is how long cut attempts may take to end.
const drainGrace = 5 * time.Second

// drain ends the worker: see Run.
func (w *Worker) drain(ctx context.Context, cut context.CancelCauseFunc) error {
	ctx = context.WithoutCancel(ctx)
	w.mu.Lock()
	w.state = draining
	for _, l := range w.lines {
		w.back = append(w.back, w.forgo(l)...)
	}
	w.checkDrained()
	w.mu.Unlock()
	early := w.giveBack(ctx) // so that others make them now
	if !w.awaitDrained(w.conf.DrainTimeout) {
		cut(errDrained)
		w.awaitDrained(drainGrace)
	}
	w.mu.Lock()
	w.state = done
	left := w.conf.Concurrency - w.free + w.unrecorded
	w.mu.Unlock()
	if err := errors.Join(early, w.giveBack(ctx)); err != nil {
		return err // their leases run out
	}
	if left > 0 {
		return fmt.Errorf("%d attempts did not end in time: others make them when their leases have run out", left)
	}
	return nil
}

func (w *Worker) awaitDrained(d time.Duration) bool {
	select {
	case <-w.drained:
		return true
	case <-time.After(d):
		return false
	}
}

// checkDrained is called with the lock held whenever a slot or an outcome goes.
func (w *Worker) checkDrained() {
	if w.state == draining && w.free == w.conf.Concurrency && w.unrecorded == 0 {
		w.state = done
		close(w.drained)
	}
}

// giveBack releases what is to be given back.
func (w *Worker) giveBack(ctx context.Context) error {
	w.mu.Lock()
	back := w.back
	w.back = nil
	w.mu.Unlock()
	return w.release(ctx, back)
}

func (w *Worker) release(ctx context.Context, ds []*hark.Delivery) error {
	if len(ds) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTimeout)
	defer cancel()
	if err := w.queue.Release(ctx, ds); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	return nil
}
