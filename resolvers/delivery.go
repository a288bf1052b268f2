package resolvers

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/subscriptions"
)

func (r mutationResolver) RetryDelivery(ctx context.Context, id hark.ID) (*ent.Delivery, error) {
	return r.Subscriptions.Retry(ctx, id)
}

func (r mutationResolver) DiscardDelivery(ctx context.Context, id hark.ID) (*ent.Delivery, error) {
	return r.Subscriptions.Discard(ctx, id)
}

func (r mutationResolver) ReplayDeliveries(ctx context.Context, input subscriptions.ReplayDeliveriesInput) (*graph.ReplayDeliveriesPayload, error) {
	n, err := r.Subscriptions.Replay(ctx, input)
	if err != nil {
		return nil, err
	}
	return &graph.ReplayDeliveriesPayload{Scheduled: n}, nil
}

func (r queryResolver) Delivery(ctx context.Context, id hark.ID) (*ent.Delivery, error) {
	return r.Subscriptions.Delivery(ctx, id)
}

func (r queryResolver) Deliveries(ctx context.Context, filter *subscriptions.DeliveryFilter, first *int, after *string) (*graph.DeliveryConnection, error) {
	list, err := r.Subscriptions.Deliveries(ctx, filter, first, after)
	return deliveryConnection(list, after, err)
}

func (r subscriptionResolver) DeliveryChanges(ctx context.Context, filter *subscriptions.DeliveryFilter) (<-chan *ent.Delivery, error) {
	return r.Subscriptions.Changes(ctx, filter)
}

func (r deliveryResolver) Event(ctx context.Context, d *ent.Delivery) (*hark.Event, error) {
	return r.Subscriptions.Event(ctx, d)
}

func (r deliveryResolver) EventSubscription(ctx context.Context, d *ent.Delivery) (*ent.EventSubscription, error) {
	return r.Subscriptions.Get(ctx, d.SubscriptionID)
}

// NextAttemptAt is for who waits: while a delivery is held it is a place in the line.
func (r deliveryResolver) NextAttemptAt(_ context.Context, d *ent.Delivery) (*hark.Time, error) {
	if d.Status != hark.Pending {
		return nil, nil
	}
	return &d.NextAttemptAt, nil
}

func (r deliveryResolver) LastError(_ context.Context, d *ent.Delivery) (*string, error) {
	return orNil(d.LastError), nil
}

func (r deliveryResolver) DiscardReason(_ context.Context, d *ent.Delivery) (*string, error) {
	return orNil(d.DiscardReason), nil
}

func (r deliveryResolver) Attempts(ctx context.Context, d *ent.Delivery) ([]*ent.DeliveryAttempt, error) {
	return r.Subscriptions.Attempts(ctx, d)
}

func (r deliveryAttemptResolver) DurationMs(_ context.Context, a *ent.DeliveryAttempt) (float64, error) {
	return float64(a.DurationNs) / 1e6, nil
}

func (r deliveryAttemptResolver) StatusCode(_ context.Context, a *ent.DeliveryAttempt) (*int, error) {
	if a.StatusCode < 0 {
		return nil, nil
	}
	return &a.StatusCode, nil
}

func (r deliveryAttemptResolver) ResponseBody(_ context.Context, a *ent.DeliveryAttempt) (*string, error) {
	if a.StatusCode < 0 {
		return nil, nil
	}
	return &a.ResponseBody, nil
}

func (r deliveryAttemptResolver) Error(_ context.Context, a *ent.DeliveryAttempt) (*string, error) {
	return orNil(a.Error), nil
}
