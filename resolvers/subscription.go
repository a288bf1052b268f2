package resolvers

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/subscriptions"
)

func (r mutationResolver) CreateEventSubscription(ctx context.Context, input subscriptions.CreateEventSubscriptionInput) (*graph.CreateEventSubscriptionPayload, error) {
	row, secret, err := r.Subscriptions.Create(ctx, input)
	if err != nil {
		return nil, err
	}
	return &graph.CreateEventSubscriptionPayload{EventSubscription: row, SigningSecret: secret.Reveal()}, nil
}

func (r mutationResolver) UpdateEventSubscription(ctx context.Context, id hark.ID, input subscriptions.UpdateEventSubscriptionInput) (*ent.EventSubscription, error) {
	return r.Subscriptions.Update(ctx, id, input)
}

func (r mutationResolver) PreviewEventSubscription(ctx context.Context, input subscriptions.CreateEventSubscriptionInput, sample int) (*subscriptions.Preview, error) {
	return r.Subscriptions.Preview(ctx, input, sample)
}

func (r mutationResolver) DeleteEventSubscription(ctx context.Context, id hark.ID) (hark.ID, error) {
	return id, r.Subscriptions.Delete(ctx, id)
}

func (r mutationResolver) PauseEventSubscription(ctx context.Context, id hark.ID) (*ent.EventSubscription, error) {
	return r.Subscriptions.Pause(ctx, id)
}

func (r mutationResolver) ResumeEventSubscription(ctx context.Context, id hark.ID, backlog hark.Backlog) (*ent.EventSubscription, error) {
	return r.Subscriptions.Resume(ctx, id, backlog)
}

func (r mutationResolver) TestEventSubscription(ctx context.Context, id hark.ID) (*ent.Delivery, error) {
	return r.Subscriptions.Test(ctx, id)
}

func (r mutationResolver) RotateSigningSecret(ctx context.Context, id hark.ID, graceSeconds int) (*graph.RotateSigningSecretPayload, error) {
	row, secret, until, err := r.Subscriptions.RotateSigningSecret(ctx, id, graceSeconds)
	if err != nil {
		return nil, err
	}
	return &graph.RotateSigningSecretPayload{EventSubscription: row, SigningSecret: secret.Reveal(), PreviousValidUntil: until}, nil
}

func (r queryResolver) EventSubscription(ctx context.Context, id hark.ID) (*ent.EventSubscription, error) {
	return r.Subscriptions.Get(ctx, id)
}

func (r queryResolver) EventSubscriptions(ctx context.Context, filter *subscriptions.EventSubscriptionFilter, first *int, after *string) (*graph.EventSubscriptionConnection, error) {
	list, err := r.Subscriptions.List(ctx, filter, first, after)
	return subscriptionConnection(ctx, list, after, err)
}

func (r eventSubscriptionResolver) Project(_ context.Context, s *ent.EventSubscription) (*ent.Project, error) {
	return s.Edges.ProjectOrErr()
}

func (r eventSubscriptionResolver) EventDefinitions(_ context.Context, s *ent.EventSubscription) ([]*ent.EventDefinition, error) {
	return s.Edges.EventDefinitionsOrErr()
}

// Auth tells what of the credentials is no secret.
func (r eventSubscriptionResolver) Auth(_ context.Context, s *ent.EventSubscription) (graph.SubscriptionAuth, error) {
	c, err := r.Subscriptions.Auth(s)
	if err != nil {
		return nil, err
	}
	switch c.Type {
	case hark.Basic:
		return &graph.BasicAuth{Type: c.Type, Username: c.Username}, nil
	case hark.OAuth2:
		return &graph.OAuth2Auth{Type: c.Type, ClientID: c.ClientID, TokenURL: c.TokenURL, Scope: orNil(c.Scope)}, nil
	case hark.JWT:
		auth := &graph.JWTAuth{Type: c.Type}
		if !c.ExpiresAt.IsZero() {
			auth.ExpiresAt = &c.ExpiresAt
		}
		return auth, nil
	default:
		return &graph.APIKeyAuth{Type: c.Type, HeaderName: c.HeaderName}, nil
	}
}

func (r eventSubscriptionResolver) RetryPolicy(_ context.Context, s *ent.EventSubscription) (*graph.RetryPolicy, error) {
	return &graph.RetryPolicy{ScheduleSeconds: s.ScheduleSeconds}, nil
}

func (r eventSubscriptionResolver) Health(_ context.Context, s *ent.EventSubscription) (hark.SubscriptionHealth, error) {
	return subscriptions.Health(s), nil
}

func (r eventSubscriptionResolver) Explain(ctx context.Context, s *ent.EventSubscription, eventID hark.ID) (*subscriptions.Explanation, error) {
	return r.Subscriptions.Explain(ctx, s, eventID)
}

func (r eventSubscriptionResolver) Stats(ctx context.Context, s *ent.EventSubscription, since, until *hark.Time) (*subscriptions.DeliveryStats, error) {
	return r.Subscriptions.Stats(ctx, s, since, until)
}

func (r eventSubscriptionResolver) Deliveries(ctx context.Context, s *ent.EventSubscription, filter *subscriptions.DeliveryFilter, first *int, after *string) (*graph.DeliveryConnection, error) {
	f := value(filter)
	f.ProjectID, f.EventSubscriptionID = &s.ProjectID, &s.ID
	list, err := r.Subscriptions.Deliveries(ctx, &f, first, after)
	return deliveryConnection(list, after, err)
}
