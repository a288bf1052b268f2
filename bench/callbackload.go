package main

import (
	"context"
	"fmt"
	"time"
)

const (
	settled = "query($id:UUID!){eventSubscription(id:$id){stats{succeeded failed}}}"

	// callbackBatch is how many events a publisher sends at once, and
	// callbackAhead how many may wait for their delivery: hark must be busy, not
	// buried.
	callbackBatch = 100
	callbackAhead = 1000
)

// callbackLoad publishes as fast as callbacks arrive.
type callbackLoad struct {
	server       *server
	sink         *child
	subscription string // its id
	published    int64
}

// run goes on for d, and gives deliveries per second at the subscriber.
func (w *callbackLoad) run(ctx context.Context, d time.Duration) (rate float64, err error) {
	p := newPoster(w.server.url(), 1)
	defer p.close()
	body := publishBody(callbackBatch)
	start := time.Now()
	first, err := w.sink.posts(ctx)
	if err != nil {
		return 0, err
	}
	for got := first; ; {
		if time.Since(start) > d {
			return float64(got-first) / time.Since(start).Seconds(), nil
		}
		if w.published-got < callbackAhead {
			if err := p.post(ctx, body); err != nil {
				return 0, err
			}
			w.published += callbackBatch
		} else {
			time.Sleep(time.Millisecond)
		}
		if got, err = w.sink.posts(ctx); err != nil {
			return 0, err
		}
	}
}

// settle waits until every delivery is on record as a success.
func (w *callbackLoad) settle(ctx context.Context) error {
	var found struct {
		EventSubscription struct {
			Stats struct{ Succeeded, Failed int64 }
		}
	}
	stats := &found.EventSubscription.Stats
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err := w.server.do(ctx, settled, map[string]any{"id": w.subscription}, &found); err != nil {
			return err
		}
		if stats.Succeeded == w.published {
			return nil
		}
	}
	return fmt.Errorf("of %d deliveries %d are on record as a success, and %d failures", w.published, stats.Succeeded, stats.Failed)
}
