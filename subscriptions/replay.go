package subscriptions

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
)

// ReplayDeliveriesInput says which deliveries of a subscription to make again:
// those created in [Since, Until) with one of the statuses.
type ReplayDeliveriesInput struct {
	EventSubscriptionID hark.ID
	Since               hark.Time
	Until               *hark.Time // nil: now
	Status              []hark.DeliveryStatus
}

// replayBatch is how many deliveries one transaction of a replay makes due.
const replayBatch = 1000

// Replay makes deliveries due again, in the order of their creation, and
// counts them. It works in small transactions: cut short, it has replayed the
// oldest, and calling it again does the rest.
func (s *Service) Replay(ctx context.Context, in ReplayDeliveriesInput) (scheduled int, err error) {
	row, err := s.row(ctx, hark.ManageDeliveries, in.EventSubscriptionID)
	if err != nil {
		return 0, err
	}
	until := hark.Now()
	set(&until, in.Until)
	if in.Since > until {
		return 0, hark.BadInput("input.since", "since is after until")
	}
	if len(in.Status) == 0 {
		return 0, hark.BadInput("input.status", "give at least one status")
	}
	for _, status := range in.Status {
		if status == hark.InProgress || status == hark.Pending {
			return 0, hark.BadInput("input.status", "%s deliveries are under way already", status)
		}
	}
	now := hark.Now()
	for {
		var n int
		err := s.store.Tx(ctx, func(tx *ent.Tx) error {
			ids, err := tx.Delivery.Query().Where(
				delivery.SubscriptionID(row.ID), delivery.StatusIn(in.Status...), delivery.CreatedAtGTE(in.Since), delivery.CreatedAtLT(until),
				delivery.UpdatedAtLT(now), // those of an earlier batch that ended meanwhile are done
			).Order(delivery.ByID()).Limit(replayBatch).IDs(ctx)
			if err != nil || len(ids) == 0 {
				return err
			}
			n, err = tx.Delivery.Update().Where(delivery.IDIn(ids...), delivery.StatusIn(in.Status...)).
				SetStatus(hark.Pending).SetNextAttemptAt(now).SetDiscardReason("").Save(ctx)
			if err != nil || scheduled > 0 {
				return err
			}
			return s.authority.Audit(ctx, tx, "replayDeliveries", row.ID.String(), row.ProjectID)
		})
		if err != nil {
			return scheduled, err
		}
		if n == 0 {
			return scheduled, nil
		}
		scheduled += n
		s.conf.Wake()
	}
}
