package subscriptions

import (
	"context"
	"errors"

	"entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/deliveryattempt"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/ent/predicate"
	"github.com/hark-events/hark/internal/page"
)

// DeliveryFilter narrows a list of deliveries. All that are given must hold.
type DeliveryFilter struct {
	ProjectID           *hark.ID
	EventSubscriptionID *hark.ID
	EventID             *hark.ID
	Status              []hark.DeliveryStatus // any of them; none: all
	Since               *hark.Time            // created at or after
	Until               *hark.Time            // created before
}

var errNoDelivery = hark.Errorf(hark.NotFound, "no such delivery")

// Delivery finds a delivery that the caller may do a with.
func (s *Service) delivery(ctx context.Context, a hark.Action, id hark.ID) (*ent.Delivery, error) {
	d, err := s.store.Ent().Delivery.Query().Where(delivery.ID(id), ofSubscription).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, errNoDelivery
	}
	if err != nil {
		return nil, err
	}
	if err := s.authority.Require(ctx, a, d.ProjectID); err != nil {
		if e, ok := errors.AsType[*hark.Error](err); ok && e.Code == hark.NotFound {
			return nil, errNoDelivery
		}
		return nil, err
	}
	return d, nil
}

// Delivery finds a delivery.
func (s *Service) Delivery(ctx context.Context, id hark.ID) (*ent.Delivery, error) {
	return s.delivery(ctx, hark.ReadSubscriptions, id)
}

// ofSubscription leaves out deliveries whose subscription is deleted: they only
// wait to be taken out of the database.
func ofSubscription(q *sql.Selector) {
	t := sql.Table(eventsubscription.Table)
	q.Where(sql.In(q.C(delivery.FieldSubscriptionID), sql.Select(t.C(eventsubscription.FieldID)).From(t)))
}

// Deliveries lists deliveries that the caller may see, newest first.
func (s *Service) Deliveries(ctx context.Context, f *DeliveryFilter, first *int, after *string) (list page.List[*ent.Delivery], err error) {
	limit, behind, err := page.Args(first, after)
	if err != nil {
		return list, err
	}
	if f == nil {
		f = &DeliveryFilter{}
	}
	scope, err := s.scope(ctx)
	if err != nil {
		return list, err
	}
	where, err := f.predicates()
	if err != nil {
		return list, err
	}
	q := s.store.Ent().Delivery.Query().Where(ofSubscription, scope.of(delivery.FieldProjectID)).Where(where...)
	if !behind.IsZero() {
		q.Where(delivery.IDLT(behind))
	}
	ds, err := q.Order(delivery.ByID(sql.OrderDesc())).Limit(limit + 1).All(ctx)
	if err != nil {
		return list, err
	}
	list.Items, list.More = page.Cut(ds, limit)
	return list, nil
}

func (f *DeliveryFilter) predicates() (where []predicate.Delivery, err error) {
	if f.Since != nil && f.Until != nil && *f.Since > *f.Until {
		return nil, hark.BadInput("filter.since", "since is after until")
	}
	if f.ProjectID != nil {
		where = append(where, delivery.ProjectID(*f.ProjectID))
	}
	if f.EventSubscriptionID != nil {
		where = append(where, delivery.SubscriptionID(*f.EventSubscriptionID))
	}
	if f.EventID != nil {
		where = append(where, delivery.EventID(*f.EventID))
	}
	if len(f.Status) > 0 {
		where = append(where, delivery.StatusIn(f.Status...))
	}
	if f.Since != nil {
		where = append(where, delivery.CreatedAtGTE(*f.Since))
	}
	if f.Until != nil {
		where = append(where, delivery.CreatedAtLT(*f.Until))
	}
	return where, nil
}

// Attempts lists the attempts at a delivery, the first one first.
func (s *Service) Attempts(ctx context.Context, d *ent.Delivery) ([]*ent.DeliveryAttempt, error) {
	return s.store.Ent().DeliveryAttempt.Query().Where(deliveryattempt.DeliveryID(d.ID)).
		Order(deliveryattempt.ByNumber(), deliveryattempt.ByID()).All(ctx)
}

// Event loads the event of a delivery; FORBIDDEN or NOT_FOUND when the caller
// may not read it. A test's sample says nothing that a caller might not know.
func (s *Service) Event(ctx context.Context, d *ent.Delivery) (*hark.Event, error) {
	e, err := s.events.get(ctx, d.EventID)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, hark.Errorf(hark.NotFound, "the event is no longer retained")
	}
	if d.Test {
		return e, nil
	}
	allows, err := s.authority.Permitted(ctx, hark.ReadEvents, d.ProjectID)
	if err != nil {
		return nil, err
	}
	if !allows(e) {
		return nil, hark.Errorf(hark.NotFound, "no such event")
	}
	return e, nil
}

// Retry makes a delivery due now, or as soon as its subscription is resumed,
// whatever became of it, and begins its schedule anew; CONFLICT while an attempt is under way, or the subscription's owner may
// not have the event.
func (s *Service) Retry(ctx context.Context, id hark.ID) (*ent.Delivery, error) {
	d, err := s.delivery(ctx, hark.ManageDeliveries, id)
	if err != nil {
		return nil, err
	}
	row, err := s.checkOwner(ctx, d)
	if err != nil {
		return nil, err
	}
	if d, err = s.put(ctx, retryAction, d, func(u *ent.DeliveryUpdate) {
		u.SetStatus(waits(row)).SetNextAttemptAt(hark.Now()).SetDiscardReason("").Modify(beginAnew)
	}, hark.InProgress); err == nil {
		s.conf.Wake()
	}
	return d, err
}

// beginAnew makes the next attempt at a delivery the first one of its schedule.
func beginAnew(u *sql.UpdateBuilder) {
	u.Set(delivery.FieldScheduleStart, sql.Expr(delivery.FieldAttemptCount))
}

// checkOwner gives the subscription of a delivery; CONFLICT when its owner may
// not have the event.
func (s *Service) checkOwner(ctx context.Context, d *ent.Delivery) (*ent.EventSubscription, error) {
	row, err := s.rows.get(ctx, d.SubscriptionID)
	if err != nil {
		return nil, err
	}
	e, err := s.events.get(ctx, d.EventID)
	if err != nil {
		return nil, err
	}
	if row == nil || e == nil {
		return nil, errNoDelivery
	}
	allows, err := s.owner(ctx, row)
	if err != nil {
		return nil, err
	}
	if !d.Test && !allows(e) {
		return nil, hark.Errorf(hark.Conflict, "the identity that created the subscription, %s, may not subscribe to the event: it would not be sent", row.OwnerID)
	}
	return row, nil
}

// Discard drops a delivery; CONFLICT when it succeeded or an attempt is under way.
func (s *Service) Discard(ctx context.Context, id hark.ID) (*ent.Delivery, error) {
	d, err := s.delivery(ctx, hark.ManageDeliveries, id)
	if err != nil {
		return nil, err
	}
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return nil, err
	}
	return s.put(ctx, "discardDelivery", d, func(u *ent.DeliveryUpdate) {
		u.SetStatus(hark.Discarded).SetNextAttemptAt(0).SetDiscardReason("discarded by " + v.Name)
	}, hark.InProgress, hark.Succeeded)
}

// put changes a delivery unless its status is one of those.
func (s *Service) put(ctx context.Context, action string, d *ent.Delivery, f func(*ent.DeliveryUpdate), not ...hark.DeliveryStatus) (*ent.Delivery, error) {
	err := s.store.Tx(ctx, func(tx *ent.Tx) error {
		u := tx.Delivery.Update().Where(delivery.ID(d.ID), delivery.StatusNotIn(not...))
		f(u)
		n, err := u.Save(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			now, err := tx.Delivery.Get(ctx, d.ID)
			if err != nil {
				return err
			}
			return hark.Errorf(hark.Conflict, "the delivery is %s: it can't be changed now", now.Status)
		}
		return s.authority.Audit(ctx, tx, action, d.ID.String(), &d.ProjectID, nil)
	})
	if err != nil {
		return nil, err
	}
	return s.store.Ent().Delivery.Get(ctx, d.ID)
}
