package subscriptions

import (
	"context"
	"slices"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
)

// ReplayDeliveriesInput says which deliveries of a subscription to make again:
// those created in [Since, Until) with one of the statuses.
type ReplayDeliveriesInput struct {
	EventSubscriptionID hark.ID
	Since               hark.Time
	Until               *hark.Time            // nil: now
	Status              []hark.DeliveryStatus // nil: FAILED; what is PENDING or IN_PROGRESS stays as it is
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
	status := slices.DeleteFunc(slices.Clone(in.Status), func(s hark.DeliveryStatus) bool {
		return s == hark.Pending || s == hark.InProgress // is under way already
	})
	if in.Status == nil {
		status = []hark.DeliveryStatus{hark.Failed}
	}
	for behind := (hark.ID{}); ; {
		ids, n, err := s.replay(ctx, row, in.Since, until, status, behind, scheduled == 0)
		scheduled += n
		if err != nil {
			return scheduled, err
		}
		if n > 0 {
			s.conf.Wake()
		}
		if len(ids) < replayBatch {
			return scheduled, nil
		}
		behind = ids[len(ids)-1]
	}
}

// replay looks at one batch of deliveries, in the order of their ids, and makes
// n of them due: those that nobody else changed meanwhile. A test is none that
// could be made again.
func (s *Service) replay(ctx context.Context, row *ent.EventSubscription, since, until hark.Time, status []hark.DeliveryStatus, behind hark.ID, audit bool,
) (ids []hark.ID, n int, err error) {
	err = s.store.Tx(ctx, func(tx *ent.Tx) error {
		ids, err = tx.Delivery.Query().Where(
			delivery.SubscriptionID(row.ID), delivery.IDGT(behind), delivery.StatusIn(status...), delivery.Test(false),
			delivery.CreatedAtGTE(since), delivery.CreatedAtLT(until),
		).Order(delivery.ByID()).Limit(replayBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		n, err = tx.Delivery.Update().Where(delivery.IDIn(ids...), delivery.StatusIn(status...)).
			SetStatus(hark.Pending).SetNextAttemptAt(hark.Now()).SetDiscardReason("").Modify(beginAnew).Save(ctx)
		if err != nil || n == 0 || !audit {
			return err
		}
		return s.authority.Audit(ctx, tx, "replayDeliveries", row.ID.String(), row.ProjectID)
	})
	if err != nil {
		return nil, 0, err
	}
	return ids, n, nil
}
