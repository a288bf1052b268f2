package events

import (
	"context"
	"log/slog"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/store"
)

// A Retention takes what is too old out of the database.
type Retention struct {
	store *store.Store
	log   *slog.Logger
	keep  time.Duration
}

// NewRetention makes a Retention that keeps events, held and finished
// deliveries for so long. 0 keeps no event past its last delivery.
func NewRetention(st *store.Store, log *slog.Logger, keep time.Duration) *Retention {
	return &Retention{store: st, log: log, keep: keep}
}

const (
	// retentionPause is how long retention rests when nothing is left to take.
	retentionPause = time.Second
	// retentionBreath is what it leaves to publishers between two batches.
	retentionBreath = 10 * time.Millisecond
)

// Run works until ctx ends. Nodes that run it side by side take turns by the
// database's locks; each batch is small and stands alone.
func (r *Retention) Run(ctx context.Context) error {
	for {
		more, err := r.store.Trim(ctx, hark.Now().Add(-r.keep))
		if err != nil && ctx.Err() == nil {
			r.log.Error("retention stopped for now; it goes on in a second", "err", err)
		}
		rest := retentionPause
		if more && err == nil {
			rest = retentionBreath
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rest):
		}
	}
}
