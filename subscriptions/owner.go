package subscriptions

import (
	"context"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventdefinition"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/events"
)

// subscribable returns FORBIDDEN unless the caller may have some event of each
// kind that an order asks for, under each of its conditions; other events it
// says no to. Definitions that don't exist are for lockDefinitions.
func (s *Service) subscribable(ctx context.Context, client *ent.EventDefinitionClient, o *order) (allows func(*hark.Event) bool, err error) {
	definitions, err := client.Query().Where(eventdefinition.IDIn(o.definitions...)).All(ctx)
	if err != nil {
		return nil, err
	}
	conditions := o.Conditions
	if len(conditions) == 0 {
		conditions = []*hark.Conditions{nil}
	}
	register := make([]hark.Registration, 0, len(definitions)*len(conditions))
	for _, d := range definitions {
		for _, c := range conditions {
			register = append(register, hark.Registration{Event: events.KindOf(d).String(), Conditions: c})
		}
	}
	allows, _, err = s.authority.Subscribable(ctx, o.ProjectID, register)
	return allows, err
}

const (
	// releaseBatch is how many barred deliveries are looked at, and let go, at a time.
	releaseBatch = 500
	// settled is how long after a change of rights some node may still publish by the old ones.
	settled = 5 * time.Second
)

// A releaser lets go what is held because an owner had no right to it, once it
// has the right again. Every node does: what one let go, the others don't find.
type releaser struct {
	standing int64 // of the rights that were last looked at
	changed  time.Time
	done     bool // all that was barred before the rights stood so was looked at
}

// release looks at what is barred when rights have changed: at once, and again
// when no node can still bar by the rights of before.
func (s *Service) release(ctx context.Context, r *releaser) error {
	standing, err := s.authority.Standing(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	fresh := r.changed.IsZero() || standing != r.standing
	if fresh {
		r.standing, r.changed, r.done = standing, now, false
	}
	last := now.Sub(r.changed) > settled
	if r.done || !fresh && !last {
		return nil
	}
	if err := s.releaseAll(ctx); err != nil {
		r.changed = time.Time{} // begin again
		return err
	}
	r.done = last
	return nil
}

func (s *Service) releaseAll(ctx context.Context) error {
	ids, err := s.store.BarredSubscriptions(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		row, err := s.store.Ent().EventSubscription.Query().Where(eventsubscription.ID(id)).
			Select(eventsubscription.FieldID, eventsubscription.FieldProjectID, eventsubscription.FieldOwnerID).Only(ctx)
		if ent.IsNotFound(err) { // retention takes what is left
			continue
		}
		if err != nil {
			return err
		}
		if err := s.releaseOf(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// releaseOf lets go what the owner of a subscription may have, oldest first.
func (s *Service) releaseOf(ctx context.Context, row *ent.EventSubscription) error {
	allows, err := s.owner(ctx, row)
	if err != nil {
		return err
	}
	for behind := int64(0); ; {
		list, err := s.store.BarredDeliveries(ctx, row.ID, behind, releaseBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		behind = list[len(list)-1].Event.Sequence
		var free []hark.ID
		for i := range list {
			if allows(&list[i].Event) {
				free = append(free, list[i].ID)
			}
		}
		if len(free) == 0 {
			continue
		}
		if err := s.store.Unbar(ctx, row.ID, free); err != nil {
			return err
		}
		s.conf.Wake()
	}
}

// owner says which events the owner of a subscription may have, now.
func (s *Service) owner(ctx context.Context, row *ent.EventSubscription) (allows func(*hark.Event) bool, err error) {
	may, err := s.authority.Owners(ctx, row.ProjectID, []hark.ID{row.OwnerID})
	if err != nil {
		return nil, err
	}
	return may[row.OwnerID], nil
}
