// Package resolvers answers GraphQL fields: each body translates, and leaves every decision to the room that it asks.
package resolvers

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/stream"
	"github.com/hark-events/hark/subscriptions"
)

// A Publisher stores events, all or none, and answers after the commit.
// *events.Publisher is one.
type Publisher interface {
	Publish(ctx context.Context, input []*hark.NewEvent) (events []*hark.Event, duplicates int, err error)
}

// A Resolver knows the rooms that the fields ask.
type Resolver struct {
	Access        *access.Access
	Catalog       *events.Catalog
	Definitions   *events.Definitions
	Log           *events.Log
	Publisher     Publisher
	Listener      *stream.Listener
	Store         *store.Store
	Subscriptions *subscriptions.Service
}

var _ graph.ResolverRoot = (*Resolver)(nil)

type (
	queryResolver        struct{ *Resolver }
	mutationResolver     struct{ *Resolver }
	subscriptionResolver struct{ *Resolver }

	auditEntryResolver        struct{ *Resolver }
	deliveryResolver          struct{ *Resolver }
	deliveryAttemptResolver   struct{ *Resolver }
	eventResolver             struct{ *Resolver }
	eventDefinitionResolver   struct{ *Resolver }
	eventSubscriptionResolver struct{ *Resolver }
	identityResolver          struct{ *Resolver }
	roleResolver              struct{ *Resolver }
	roleGrantResolver         struct{ *Resolver }
	viewerResolver            struct{ *Resolver }
)

// Query and the others give gqlgen the fields of a type.
func (r *Resolver) Query() graph.QueryResolver                     { return queryResolver{r} }
func (r *Resolver) Mutation() graph.MutationResolver               { return mutationResolver{r} }
func (r *Resolver) Subscription() graph.SubscriptionResolver       { return subscriptionResolver{r} }
func (r *Resolver) AuditEntry() graph.AuditEntryResolver           { return auditEntryResolver{r} }
func (r *Resolver) Delivery() graph.DeliveryResolver               { return deliveryResolver{r} }
func (r *Resolver) DeliveryAttempt() graph.DeliveryAttemptResolver { return deliveryAttemptResolver{r} }
func (r *Resolver) Event() graph.EventResolver                     { return eventResolver{r} }
func (r *Resolver) EventDefinition() graph.EventDefinitionResolver { return eventDefinitionResolver{r} }

func (r *Resolver) EventSubscription() graph.EventSubscriptionResolver {
	return eventSubscriptionResolver{r}
}
func (r *Resolver) Identity() graph.IdentityResolver   { return identityResolver{r} }
func (r *Resolver) Role() graph.RoleResolver           { return roleResolver{r} }
func (r *Resolver) RoleGrant() graph.RoleGrantResolver { return roleGrantResolver{r} }
func (r *Resolver) Viewer() graph.ViewerResolver       { return viewerResolver{r} }

// orNil is a nullable String: empty means none.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
