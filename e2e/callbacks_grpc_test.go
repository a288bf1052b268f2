package e2e_test

import (
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestGRPCCallbacks brings an event to a receiver made of @grpc/grpc-js with
// each kind of credentials. The first OAuth2 token is refused: a new one is
// fetched in the same attempt.
func TestGRPCCallbacks(t *testing.T) {
	t.Parallel()
	const payload = `{"b":1.0,"a":"<ä>"}`
	node := testkit.Hark(t)
	r := receive(t, "receiver_grpc.mjs")
	subscriptions := make(map[string]*subscription)
	for _, kind := range []string{"basic", "jwt", "oauth2", "apiKey"} {
		subscriptions[kind] = r.subscribe(node, "GRPC", kind, nil)
	}
	publishUpdate(t, node, payload)
	for kind, s := range subscriptions {
		s.settled(t, node, 1)
		d := s.Deliveries.Nodes[0]
		if len(d.Attempts) != 1 || d.Attempts[0].StatusCode == nil || *d.Attempts[0].StatusCode != 0 || s.Health != "HEALTHY" {
			t.Errorf("%s: %+v", kind, s)
		}
		got := r.deliveries()[kind]
		if got.DeliveryID != d.ID || got.EventType != "secret:update" || got.Attempt != 1 || got.Payload != payload || got.Headers["webhook-id"] != d.ID {
			t.Errorf("%s: the receiver took %+v", kind, got)
		}
		s.verify(t, got.Payload, got.Headers)
	}
}
