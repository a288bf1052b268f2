package deliverytest

import (
	"time"

	"github.com/hark-events/hark"
)

// Event makes an event of the first definitions that hark knows.
func Event() *hark.Event {
	return &hark.Event{
		ID: hark.NewID(), ProjectID: hark.NewID(), Sequence: 42, DefinitionID: hark.NewID(),
		Kind:        hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
		Environment: "staging", Path: "/", Payload: hark.JSON(`[{"secretKey":"A<b>"}]`),
		OccurredAt: hark.Now(), PublishedAt: hark.Now(),
	}
}

// Subscription makes an active subscription to endpoint with defaults.
func Subscription(p hark.CallbackProtocol, endpoint string) *hark.Subscription {
	return &hark.Subscription{
		ID: hark.NewID(), ProjectID: hark.NewID(), ProjectSlug: "default", Version: 1, Active: true,
		Endpoint: endpoint, Protocol: p,
		Credentials: hark.Credentials{Type: hark.JWT, Token: "token-of-the-test"},
		Signature:   hark.HMACSHA256, SigningSecrets: []hark.Secret{"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
		Timeout: 15 * time.Second, MaxInFlight: hark.DefaultMaxInFlight,
	}
}

// Delivery makes the first attempt of bringing event to s.
func Delivery(s *hark.Subscription, event *hark.Event) *hark.Delivery {
	return &hark.Delivery{ID: hark.NewID(), SubscriptionID: s.ID, SubscriptionVersion: s.Version, Event: event, Attempt: 1}
}
