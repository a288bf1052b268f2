package subscriptions

import (
	"context"

	"entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventdefinition"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/ent/predicate"
	"github.com/hark-events/hark/internal/page"
)

// EventSubscriptionFilter narrows a list of subscriptions. All that are given must hold.
type EventSubscriptionFilter struct {
	ProjectID         *hark.ID
	EventDefinitionID *hark.ID
	SubscriberService *string
	Active            *bool
	CallbackProtocol  *hark.CallbackProtocol
	Health            *hark.SubscriptionHealth
}

// Get finds a subscription.
func (s *Service) Get(ctx context.Context, id hark.ID) (*ent.EventSubscription, error) {
	return s.row(ctx, hark.ReadSubscriptions, id)
}

// List lists subscriptions that the caller may see, newest first.
func (s *Service) List(ctx context.Context, f *EventSubscriptionFilter, first *int, after *string) (list page.List[*ent.EventSubscription], err error) {
	limit, behind, err := page.Args(first, after)
	if err != nil {
		return list, err
	}
	if f == nil {
		f = &EventSubscriptionFilter{}
	}
	scope, err := s.scope(ctx)
	if err != nil {
		return list, err
	}
	q := s.store.Ent().EventSubscription.Query().Where(scope.of(eventsubscription.FieldProjectID))
	f.apply(q)
	list.Count = q.Clone().Count
	if !behind.IsZero() {
		q.Where(eventsubscription.IDLT(behind))
	}
	rows, err := q.WithProject().WithEventDefinitions().Order(eventsubscription.ByID(sql.OrderDesc())).Limit(limit + 1).All(ctx)
	if err != nil {
		return list, err
	}
	list.Items, list.More = page.Cut(rows, limit)
	return list, nil
}

// A scope is a set of projects: all but some, or some.
type scope struct {
	all bool
	ids []hark.ID
}

// scope gives the projects whose subscriptions the caller may see. Of others a
// list is empty, whether they exist or not.
func (s *Service) scope(ctx context.Context) (sc scope, err error) {
	sc.all, sc.ids, err = s.authority.Projects(ctx, hark.ReadSubscriptions)
	return sc, err
}

// of is the condition of a query that a column is a project of the scope.
func (sc scope) of(column string) func(*sql.Selector) {
	ids := make([]any, len(sc.ids))
	for i, id := range sc.ids {
		ids[i] = id
	}
	return func(q *sql.Selector) {
		switch {
		case !sc.all:
			q.Where(sql.In(q.C(column), ids...))
		case len(ids) > 0:
			q.Where(sql.NotIn(q.C(column), ids...))
		}
	}
}

func (f *EventSubscriptionFilter) apply(q *ent.EventSubscriptionQuery) {
	if f.ProjectID != nil {
		q.Where(eventsubscription.ProjectID(*f.ProjectID))
	}
	if f.EventDefinitionID != nil {
		q.Where(eventsubscription.HasEventDefinitionsWith(eventdefinition.ID(*f.EventDefinitionID)))
	}
	if f.SubscriberService != nil {
		q.Where(eventsubscription.SubscriberService(*f.SubscriberService))
	}
	if f.Active != nil {
		q.Where(eventsubscription.Active(*f.Active))
	}
	if f.CallbackProtocol != nil {
		q.Where(eventsubscription.CallbackProtocolEQ(*f.CallbackProtocol))
	}
	if f.Health != nil {
		q.Where(healthIs(*f.Health)...)
	}
}

// Health is how a subscription fares.
func Health(row *ent.EventSubscription) hark.SubscriptionHealth {
	switch {
	case row.DisabledAt != 0:
		return hark.Disabled
	case !row.Active:
		return hark.Paused
	case row.OpenedAt != 0:
		return hark.Open
	case row.FailingSince != 0:
		return hark.Failing
	}
	return hark.Healthy
}

// healthIs is Health as a condition of a query.
func healthIs(h hark.SubscriptionHealth) []predicate.EventSubscription {
	switch h {
	case hark.Disabled:
		return []predicate.EventSubscription{eventsubscription.DisabledAtNEQ(0)}
	case hark.Paused:
		return []predicate.EventSubscription{eventsubscription.DisabledAt(0), eventsubscription.Active(false)}
	case hark.Failing:
		return []predicate.EventSubscription{eventsubscription.Active(true), eventsubscription.OpenedAt(0), eventsubscription.FailingSinceNEQ(0)}
	case hark.Open:
		return []predicate.EventSubscription{eventsubscription.Active(true), eventsubscription.OpenedAtNEQ(0)}
	case hark.Healthy:
		return []predicate.EventSubscription{eventsubscription.Active(true), eventsubscription.OpenedAt(0), eventsubscription.FailingSince(0)}
	}
	return []predicate.EventSubscription{eventsubscription.ID(hark.ID{})} // there is no such health
}
