package delivery

import (
	"context"
	"fmt"
	"slices"

	"github.com/hark-events/hark"
)

// recall gives up what is leased ahead of subscriptions that were paused or
// deleted, or whose circuit another node has opened, and has what is published
// for them next take its turn in the queue. What is in flight goes on.
func (w *Worker) recall(ctx context.Context) error {
	var busy []hark.ID
	w.mu.Lock()
	if w.recheck {
		for id, l := range w.lines {
			if l.inFlight+len(l.ahead)+l.promised > 0 {
				busy = append(busy, id)
			}
		}
	}
	w.recheck = false
	w.mu.Unlock()
	if len(busy) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	flowing, err := w.queue.Flowing(ctx, busy)
	if err != nil {
		return fmt.Errorf("flowing: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range busy {
		l := w.lines[id]
		if l == nil || slices.Contains(flowing, id) {
			continue
		}
		w.back = append(w.back, w.forgo(l)...)
		l.failing = true // until an attempt of our own goes well
	}
	return nil
}
