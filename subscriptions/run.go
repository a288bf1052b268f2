package subscriptions

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// jobEvery is how often each background job looks whether there is something to do.
const jobEvery = 500 * time.Millisecond

// Run does what goes on without a caller, until ctx ends. Trouble is
// logged once, until it is over.
func (s *Service) Run(ctx context.Context) error {
	var g errgroup.Group
	var r releaser
	for what, do := range map[string]func(context.Context) error{
		"let go what owners may have again": func(ctx context.Context) error { return s.release(ctx, &r) },
		"replay":                            s.replays,
		"mark what is held":                 s.label,
	} {
		g.Go(func() error {
			tick := time.NewTicker(jobEvery)
			defer tick.Stop()
			for failing := false; ctx.Err() == nil; {
				err := do(ctx)
				if err != nil && !failing && ctx.Err() == nil {
					s.log.ErrorContext(ctx, "subscriptions: "+what, "err", err)
				}
				failing = err != nil
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
			return nil
		})
	}
	return g.Wait()
}
