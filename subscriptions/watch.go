package subscriptions

import (
	"context"
	"encoding/binary"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/deliveryattempt"
	"github.com/hark-events/hark/ent/predicate"
)

// A watch finds deliveries that changed, without an index that each publish
// would pay for: new ones by their ids, which begin with the time, those under
// way by the index of leases, those with attempts by the attempts' ids, dropped
// ones by the index of retention, and the others by what changed them; see
// stirred.go. Each look overlaps the one before, and what was told already is
// left out.
type watch struct {
	client *ent.Client
	where  []predicate.Delivery

	begun  hark.Time // of older changes it does not tell
	looked hark.Time // when the last look began
	marks  []mark    // of the looks of the overlap, the oldest first

	told, before map[hark.ID]state // what was told last, since turned and before it
	turned       hark.Time
}

// A state is what a delivery was told to be.
type state struct {
	updated hark.Time
	status  hark.DeliveryStatus
}

// A mark is the last attempt that there was at a time.
type mark struct {
	at   hark.Time
	last int64
}

// look tells of everything that changed since the last look. After an error the
// next look begins where this one did.
func (w *watch) look(ctx context.Context, sc scope, tell func(*ent.Delivery) error) error {
	now := hark.Now()
	since := w.looked.Add(-changesOverlap)
	last, err := w.lastAttempt(ctx)
	if err != nil {
		return err
	}
	seen := append([]predicate.Delivery{ofSubscription, sc.of(delivery.FieldProjectID)}, w.where...)
	tellNew := func(ds []*ent.Delivery) error {
		for _, d := range ds {
			now := state{d.UpdatedAt, d.Status}
			last, known := w.told[d.ID]
			if !known {
				last, known = w.before[d.ID]
			}
			if known && last == now || !known && d.UpdatedAt < w.begun && d.Status != hark.InProgress {
				continue
			}
			if err := tell(d); err != nil {
				return err
			}
			w.told[d.ID] = now
		}
		return nil
	}
	for _, find := range []func(context.Context, hark.Time, []predicate.Delivery, func([]*ent.Delivery) error) error{w.made, w.leased, w.attempted, w.dropped, w.retried, w.replayed, w.relabelled} {
		if err := find(ctx, since, seen, tellNew); err != nil {
			return err
		}
	}
	w.looked = now
	w.marks = append(w.marks, mark{now, last})
	for len(w.marks) > 1 && w.marks[1].at <= now.Add(-changesOverlap) {
		w.marks = w.marks[1:]
	}
	if now.Sub(w.turned) > 2*changesOverlap {
		w.told, w.before, w.turned = map[hark.ID]state{}, w.told, now
	}
	return nil
}

// made finds deliveries that were made since.
func (w *watch) made(ctx context.Context, since hark.Time, seen []predicate.Delivery, tell func([]*ent.Delivery) error) error {
	for behind := firstID(since); ; {
		ds, err := w.client.Delivery.Query().Where(delivery.IDGT(behind)).Where(seen...).Order(delivery.ByID()).Limit(changesBatch).All(ctx)
		if err != nil {
			return err
		}
		if err := tell(ds); err != nil || len(ds) < changesBatch {
			return err
		}
		behind = ds[len(ds)-1].ID
	}
}

// attempted finds deliveries of which an attempt was recorded since.
func (w *watch) attempted(ctx context.Context, _ hark.Time, seen []predicate.Delivery, tell func([]*ent.Delivery) error) error {
	for behind := w.marks[0].last; ; {
		attempts, err := w.client.DeliveryAttempt.Query().Where(deliveryattempt.IDGT(behind)).Order(deliveryattempt.ByID()).Limit(changesBatch).
			Select(deliveryattempt.FieldID, deliveryattempt.FieldDeliveryID).All(ctx)
		if err != nil || len(attempts) == 0 {
			return err
		}
		ids := make([]hark.ID, len(attempts))
		for i, a := range attempts {
			ids[i] = a.DeliveryID
		}
		ds, err := w.client.Delivery.Query().Where(delivery.IDIn(ids...)).Where(seen...).Order(delivery.ByUpdatedAt(), delivery.ByID()).All(ctx)
		if err != nil {
			return err
		}
		if err := tell(ds); err != nil || len(attempts) < changesBatch {
			return err
		}
		behind = attempts[len(attempts)-1].ID
	}
}

// dropped finds deliveries that were discarded since.
func (w *watch) dropped(ctx context.Context, since hark.Time, seen []predicate.Delivery, tell func([]*ent.Delivery) error) error {
	for at, behind := since, (hark.ID{}); ; {
		ds, err := w.client.Delivery.Query().Where(delivery.StatusEQ(hark.Discarded), finished,
			delivery.UpdatedAtGTE(at), delivery.Or(delivery.UpdatedAtGT(at), delivery.IDGT(behind))).Where(seen...).
			Order(delivery.ByUpdatedAt(), delivery.ByID()).Limit(changesBatch).All(ctx)
		if err != nil {
			return err
		}
		if err := tell(ds); err != nil || len(ds) < changesBatch {
			return err
		}
		last := ds[len(ds)-1]
		at, behind = last.UpdatedAt, last.ID
	}
}

// finished is the condition of the index deliveries_finished, word for word:
// with parameters a database does not see that the index will do.
func finished(q *sql.Selector) {
	q.Where(sql.ExprP("status IN ('SUCCEEDED', 'FAILED', 'DISCARDED')"))
}

// lastAttempt is the id of the last attempt that was recorded, 0 when there is none.
func (w *watch) lastAttempt(ctx context.Context) (int64, error) {
	id, err := w.client.DeliveryAttempt.Query().Order(deliveryattempt.ByID(sql.OrderDesc())).FirstID(ctx)
	if ent.IsNotFound(err) {
		return 0, nil
	}
	return id, err
}

// firstID is below all ids that are made at t or later.
func firstID(t hark.Time) (id hark.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(time.Duration(t).Milliseconds())<<16)
	return id
}
