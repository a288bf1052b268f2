package subscriptions

import (
	"context"
	"slices"

	"entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/auditentry"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/ent/predicate"
	"github.com/hark-events/hark/ent/replay"
)

const (
	// stirredEnd is how much of either end of a line is looked at after a pause
	// or a resume: more than store marks then.
	stirredEnd = 2000
	// stirredMost bounds what one look reads of leases, and of a replay.
	stirredMost = 5000
)

// retryAction is what the audit log calls a delivery that was retried by hand.
const retryAction = "retryDelivery"

// leased finds deliveries that are under way.
func (w *watch) leased(ctx context.Context, _ hark.Time, seen []predicate.Delivery, tell func([]*ent.Delivery) error) error {
	ds, err := w.client.Delivery.Query().Where(status("status = 'IN_PROGRESS'")).Where(seen...).
		Order(delivery.ByLeasedUntil(sql.OrderDesc())).Limit(stirredMost).All(ctx)
	if err != nil {
		return err
	}
	return tell(ds)
}

// retried finds deliveries that somebody retried since, by the audit log.
func (w *watch) retried(ctx context.Context, since hark.Time, seen []predicate.Delivery, tell func([]*ent.Delivery) error) error {
	entries, err := w.client.AuditEntry.Query().Where(auditentry.IDGT(firstID(since)), auditentry.Action(retryAction)).
		Order(auditentry.ByID()).Limit(changesBatch).Select(auditentry.FieldID, auditentry.FieldTarget).All(ctx)
	if err != nil || len(entries) == 0 {
		return err
	}
	var ids []hark.ID
	for _, e := range entries {
		if id, err := hark.ParseID(e.Target); err == nil {
			ids = append(ids, id)
		}
	}
	ds, err := w.client.Delivery.Query().Where(delivery.IDIn(ids...)).Where(seen...).All(ctx)
	if err != nil {
		return err
	}
	return tell(ds)
}

// replayed finds deliveries that replays made due since: their places in the
// line are the times at which they were.
func (w *watch) replayed(ctx context.Context, since hark.Time, seen []predicate.Delivery, tell func([]*ent.Delivery) error) error {
	replays, err := w.client.Replay.Query().Where(replay.UpdatedAtGTE(since)).All(ctx)
	if err != nil {
		return err
	}
	for _, r := range replays {
		ds, err := w.client.Delivery.Query().Where(waiting, delivery.SubscriptionID(r.SubscriptionID), delivery.NextAttemptAtGTE(since), delivery.UpdatedAtGTE(since)).
			Where(seen...).Order(delivery.ByNextAttemptAt(), delivery.BySequence()).Limit(stirredMost).All(ctx)
		if err != nil {
			return err
		}
		if err := tell(ds); err != nil {
			return err
		}
	}
	return nil
}

// relabelled finds deliveries that were held, or let go, since with their
// subscription, which was paused, resumed or disabled.
func (w *watch) relabelled(ctx context.Context, since hark.Time, seen []predicate.Delivery, tell func([]*ent.Delivery) error) error {
	ids, err := w.client.EventSubscription.Query().Where(eventsubscription.UpdatedAtGTE(since)).IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		for _, order := range []sql.OrderTermOption{sql.OrderAsc(), sql.OrderDesc()} {
			ds, err := w.client.Delivery.Query().Where(waiting, delivery.SubscriptionID(id)).Where(seen...).
				Order(delivery.ByNextAttemptAt(order), delivery.BySequence(order)).Limit(stirredEnd).All(ctx)
			if err != nil {
				return err
			}
			if err := tell(slices.DeleteFunc(ds, func(d *ent.Delivery) bool { return d.UpdatedAt < since })); err != nil {
				return err
			}
		}
	}
	return nil
}

// waiting is the condition of the queue's index, word for word; see finished.
func waiting(q *sql.Selector) { status("status IN ('PENDING', 'HELD')")(q) }

func status(condition string) func(*sql.Selector) {
	return func(q *sql.Selector) { q.Where(sql.ExprP(condition)) }
}
