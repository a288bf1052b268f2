package subscriptions

import (
	"context"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/predicate"
)

const (
	// changesPause is how often a stream of changes looks for new ones.
	changesPause = 500 * time.Millisecond
	// changesBatch is how many rows it reads at a time.
	changesBatch = 500
	// changesOverlap is how far each look goes back behind the one before: what
	// committed later than others that began later, or carries the time of a
	// node whose clock is behind, is seen all the same.
	changesOverlap = 3 * time.Second
)

// Changes streams the deliveries that the caller may see, each whenever its
// state has changed, as it is then: made, under way, attempted, held, due again,
// dropped. What changes several times between two looks comes once. The channel
// is closed when ctx ends, or the caller may no more.
//
// It is a hint for people who watch, not a log: a stream that was cut does not
// tell what it missed.
func (s *Service) Changes(ctx context.Context, f *DeliveryFilter) (<-chan *ent.Delivery, error) {
	if f == nil {
		f = &DeliveryFilter{}
	}
	where, err := f.predicates()
	if err != nil {
		return nil, err
	}
	if f.ProjectID != nil {
		if err := s.authority.Require(ctx, hark.ReadSubscriptions, *f.ProjectID); err != nil {
			return nil, err
		}
	}
	if _, err := s.scope(ctx); err != nil {
		return nil, err
	}
	w, err := s.newWatch(ctx, where)
	if err != nil {
		return nil, err
	}
	out := make(chan *ent.Delivery)
	go func() {
		defer close(out)
		s.watch(ctx, w, out)
	}()
	return out, nil
}

// watch looks until ctx ends. Trouble with the database is logged once, until it is over.
func (s *Service) watch(ctx context.Context, w *watch, out chan<- *ent.Delivery) {
	tick := time.NewTicker(changesPause)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		scope, err := s.scope(ctx)
		if err != nil {
			return
		}
		err = w.look(ctx, scope, func(d *ent.Delivery) error {
			select {
			case out <- d:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			s.log.ErrorContext(ctx, "subscriptions: follow the changes of deliveries", "err", err)
		}
		failing = err != nil
	}
}

// newWatch makes a watch that begins now.
func (s *Service) newWatch(ctx context.Context, where []predicate.Delivery) (*watch, error) {
	w := &watch{client: s.store.Ent(), where: where, begun: hark.Now(), told: map[hark.ID]state{}, before: map[hark.ID]state{}}
	last, err := w.lastAttempt(ctx)
	if err != nil {
		return nil, err
	}
	w.looked, w.turned, w.marks = w.begun, w.begun, []mark{{w.begun, last}}
	// What is under way already is no change.
	return w, w.leased(ctx, w.begun, where, func(ds []*ent.Delivery) error {
		for _, d := range ds {
			w.told[d.ID] = state{d.UpdatedAt, d.Status}
		}
		return nil
	})
}
