package subscriptions

import (
	"context"
	"slices"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/ent/replay"
	"github.com/hark-events/hark/store"
)

// ReplayDeliveriesInput says which deliveries of a subscription to make again:
// those created in [Since, Until) with one of the statuses.
type ReplayDeliveriesInput struct {
	EventSubscriptionID hark.ID
	Since               hark.Time
	Until               *hark.Time            // nil: now
	Status              []hark.DeliveryStatus // nil: FAILED; what is PENDING or IN_PROGRESS stays as it is
}

const (
	// maxReplay is how many deliveries one replay may be about.
	maxReplay = 1_000_000
	// replayBatch is how many deliveries one transaction of a replay makes due,
	// and replayBreath what it leaves to publishers before the next one.
	replayBatch  = 1000
	replayBreath = 10 * time.Millisecond
	// replayKept is how long it is known of a replay that there was one.
	replayKept = time.Hour
)

// Replay makes deliveries due again, oldest first, each as Retry does, and
// counts them: at most 1,000,000. The first thousand are due when it returns;
// the others follow in the background, also when this node ends.
func (s *Service) Replay(ctx context.Context, in ReplayDeliveriesInput) (scheduled int, err error) {
	row, err := s.row(ctx, hark.ManageDeliveries, in.EventSubscriptionID)
	if err != nil {
		return 0, err
	}
	now := hark.Now()
	until := now
	set(&until, in.Until)
	if in.Since > until {
		return 0, hark.BadInput("input.since", "since is after until")
	}
	statuses := slices.DeleteFunc(slices.Clone(in.Status), func(s hark.DeliveryStatus) bool {
		return s == hark.Pending || s == hark.InProgress // is under way already
	})
	if in.Status == nil {
		statuses = []hark.DeliveryStatus{hark.Failed}
	}
	if len(statuses) == 0 {
		return 0, nil
	}
	// An id begins with the time of its birth, which is not before created_at.
	r := &ent.Replay{
		ID: hark.NewID(), ProjectID: row.ProjectID, SubscriptionID: row.ID,
		Since: in.Since, Until: min(until, now), Statuses: statuses, Behind: firstID(max(in.Since, 0)),
	}
	if scheduled, err = s.store.CountReplay(ctx, r, maxReplay+1); err != nil || scheduled == 0 {
		return 0, err
	}
	if scheduled > maxReplay {
		return 0, hark.BadInput("input.until", "more than %d deliveries; choose a shorter time from since to until", maxReplay)
	}
	err = s.store.Tx(ctx, func(tx *ent.Tx) error {
		if err := tx.Replay.Create().SetID(r.ID).SetProjectID(r.ProjectID).SetSubscriptionID(r.SubscriptionID).SetSince(r.Since).SetUntil(r.Until).
			SetStatuses(r.Statuses).SetBehind(r.Behind).Exec(ctx); err != nil {
			return err
		}
		return s.authority.Audit(ctx, tx, "replayDeliveries", row.ID.String(), &row.ProjectID, in)
	})
	if err != nil {
		return 0, err
	}
	_, err = s.replay(ctx, r.ID)
	return scheduled, err
}

// replays goes on with all replays that are not done, and forgets old ones.
func (s *Service) replays(ctx context.Context) error {
	ids, err := s.store.Ent().Replay.Query().Where(replay.Done(false)).Order(replay.ByID()).IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		for done := false; !done; {
			if done, err = s.replay(ctx, id); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(replayBreath):
			}
		}
	}
	old := replay.And(replay.Done(true), replay.UpdatedAtLT(hark.Now().Add(-replayKept)))
	if there, err := s.store.Ent().Replay.Query().Where(old).Exist(ctx); err != nil || !there { // most often, and the writer is left alone
		return err
	}
	_, err = s.store.Ent().Replay.Delete().Where(old).Exec(ctx)
	return err
}

// replay makes the next batch of a replay due. How far it has come is committed
// with what it did, so it goes on there whoever calls next. Nodes that work on
// one replay at once wait for each other at its row.
func (s *Service) replay(ctx context.Context, id hark.ID) (done bool, err error) {
	err = s.store.Tx(ctx, func(tx *ent.Tx) error {
		r, err := tx.Replay.UpdateOneID(id).Where(replay.Done(false)).SetUpdatedAt(hark.Now()).Save(ctx)
		if ent.IsNotFound(err) {
			done = true
			return nil
		}
		if err != nil {
			return err
		}
		row, err := tx.EventSubscription.Query().Where(eventsubscription.ID(r.SubscriptionID)).Only(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return err
		}
		var ds []*ent.Delivery
		if err == nil {
			if ds, err = s.makeAgain(ctx, tx, row, r); err != nil {
				return err
			}
		}
		u := r.Update()
		if len(ds) > 0 {
			u.SetBehind(ds[len(ds)-1].ID)
		}
		done = len(ds) < replayBatch
		return u.SetDone(done).Exec(ctx)
	})
	if err == nil {
		s.conf.Wake()
	}
	return done, err
}

// makeAgain makes the next batch of deliveries due, but for those that the
// subscription's owner may not have, which are held. It gives what it looked at.
func (s *Service) makeAgain(ctx context.Context, tx *ent.Tx, row *ent.EventSubscription, r *ent.Replay) ([]*ent.Delivery, error) {
	ds, err := tx.Delivery.Query().Where(
		delivery.SubscriptionID(row.ID), delivery.IDGT(r.Behind), delivery.StatusIn(r.Statuses...), delivery.Test(false),
		delivery.CreatedAtGTE(r.Since), delivery.CreatedAtLT(r.Until),
	).Order(delivery.ByID()).Limit(replayBatch).Select(delivery.FieldID, delivery.FieldEventID).All(ctx)
	if err != nil || len(ds) == 0 {
		return nil, err
	}
	allowed, barred, err := s.divide(ctx, row, ds)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		ids    []hark.ID
		status hark.DeliveryStatus
		next   hark.Time
	}{{allowed, waits(row), hark.Now()}, {barred, hark.Held, store.Barred}} {
		if len(part.ids) == 0 {
			continue
		}
		// Of those that nobody else changed meanwhile.
		err := tx.Delivery.Update().Where(delivery.IDIn(part.ids...), delivery.StatusIn(r.Statuses...)).
			SetStatus(part.status).SetNextAttemptAt(part.next).SetDiscardReason("").Modify(beginAnew).Exec(ctx)
		if err != nil {
			return nil, err
		}
	}
	return ds, nil
}

// divide tells what the owner of a subscription may have from what it may not.
func (s *Service) divide(ctx context.Context, row *ent.EventSubscription, ds []*ent.Delivery) (allowed, barred []hark.ID, err error) {
	ids := make([]hark.ID, len(ds))
	for i, d := range ds {
		ids[i] = d.EventID
	}
	events, err := s.store.Places(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	allows, err := s.owner(ctx, row)
	if err != nil {
		return nil, nil, err
	}
	may := make(map[hark.ID]bool, len(events))
	for _, e := range events {
		may[e.ID] = allows(e)
	}
	for _, d := range ds {
		if may[d.EventID] {
			allowed = append(allowed, d.ID)
		} else {
			barred = append(barred, d.ID)
		}
	}
	return allowed, barred, nil
}

// waits is the status of what waits for a subscription.
func waits(row *ent.EventSubscription) hark.DeliveryStatus {
	if row.Active {
		return hark.Pending
	}
	return hark.Held
}
