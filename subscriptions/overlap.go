package subscriptions

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventdefinition"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/ent/predicate"
)

// alone returns CONFLICT if an order is active and an active subscription, such
// as is looked for, brings some of its events to the same subscriber and
// endpoint. In a transaction that has the project's counter row nobody can come
// between.
func (o *order) alone(ctx context.Context, client *ent.EventSubscriptionClient, field string, such ...predicate.EventSubscription) error {
	if !o.Active {
		return nil
	}
	other, err := client.Query().Where(
		eventsubscription.IDNEQ(o.ID), eventsubscription.ProjectID(o.ProjectID), eventsubscription.Active(true),
		eventsubscription.SubscriberService(o.SubscriberService), eventsubscription.DeliveryEndpoint(o.DeliveryEndpoint),
		eventsubscription.HasEventDefinitionsWith(eventdefinition.IDIn(o.definitions...)),
	).Where(such...).Order(eventsubscription.ByID()).FirstID(ctx)
	switch {
	case ent.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	return &hark.Error{
		Code: hark.Conflict, Field: field,
		Message: "the active subscription " + other.String() + " brings some of these events to the same subscriber and endpoint: set allowOverlap to have both",
	}
}

// aloneAgain is alone for a subscription that becomes active as it is stored. It
// may stand beside others if an overlap was allowed of it, or of them.
func (o *order) aloneAgain(ctx context.Context, client *ent.EventSubscriptionClient, field string) error {
	if o.AllowOverlap {
		return nil
	}
	return o.alone(ctx, client, field, eventsubscription.AllowOverlap(false))
}

// besides checks what an update does to a subscription beside others. Whoever
// changes what is sent, or where to, allows the overlap then and there.
func (o *order) besides(ctx context.Context, client *ent.EventSubscriptionClient, in UpdateEventSubscriptionInput, wasActive bool) error {
	switch {
	case in.AllowOverlap != nil && *in.AllowOverlap:
		return nil
	case in.AllowOverlap != nil || in.EventDefinitionIds != nil || in.SubscriberService != nil || in.DeliveryEndpoint != nil:
		return o.alone(ctx, client, "input")
	case !wasActive:
		return o.aloneAgain(ctx, client, "input")
	}
	return nil
}
