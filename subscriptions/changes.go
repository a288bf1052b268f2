package subscriptions

import (
	"context"
	"log/slog"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/deliveryattempt"
)

const (
	// changesPause is how often a stream of changes looks for new ones.
	changesPause = 500 * time.Millisecond
	// changesBatch is how many it takes at a time.
	changesBatch = 500
)

// Changes streams the deliveries that the caller may see, each time that an
// attempt at one has an outcome, until ctx ends or the caller may no more.
func (s *Service) Changes(ctx context.Context, f *DeliveryFilter) (<-chan *ent.Delivery, error) {
	if f == nil {
		f = &DeliveryFilter{}
	}
	where, err := f.predicates()
	if err != nil {
		return nil, err
	}
	if _, err := s.scope(ctx, f.ProjectID); err != nil {
		return nil, err
	}
	last, err := s.lastAttempt(ctx)
	if err != nil {
		return nil, err
	}
	out := make(chan *ent.Delivery)
	go func() {
		defer close(out)
		tick := time.NewTicker(changesPause)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			changed, next, err := s.changedSince(ctx, last)
			if err != nil {
				if ctx.Err() == nil {
					slog.ErrorContext(ctx, "a stream of deliveries' changes can't read them; it tries again", "err", err)
				}
				continue
			}
			last = next
			scope, err := s.scope(ctx, f.ProjectID)
			if err != nil {
				return
			}
			ds, err := s.store.Ent().Delivery.Query().Where(delivery.IDIn(changed...), ofSubscription, scope.of(delivery.FieldProjectID)).
				Where(where...).Order(delivery.ByUpdatedAt()).All(ctx)
			if err != nil {
				return
			}
			for _, d := range ds {
				select {
				case out <- d:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out, nil
}

func (s *Service) lastAttempt(ctx context.Context) (int64, error) {
	id, err := s.store.Ent().DeliveryAttempt.Query().Order(ent.Desc(deliveryattempt.FieldID)).FirstID(ctx)
	if ent.IsNotFound(err) {
		return 0, nil
	}
	return id, err
}

// changedSince lists the deliveries with attempts behind last.
func (s *Service) changedSince(ctx context.Context, last int64) (ids []hark.ID, next int64, err error) {
	attempts, err := s.store.Ent().DeliveryAttempt.Query().Where(deliveryattempt.IDGT(last)).
		Order(deliveryattempt.ByID()).Limit(changesBatch).All(ctx)
	if err != nil {
		return nil, last, err
	}
	for _, a := range attempts {
		ids = append(ids, a.DeliveryID)
		last = a.ID
	}
	return ids, last, nil
}
