package promises

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// A subscriber is a service that takes callbacks.
type subscriber struct {
	*board
	url      string
	sent     map[int64]int  // requests by the sequence of their event
	attempts map[string]int // requests by the delivery
	held     int            // requests that hold is called for and has not returned
}

// subscribe starts a subscriber that answers 204 after hold, if there is one.
func newSubscriber(t *testing.T, hold func()) *subscriber {
	t.Helper()
	s := &subscriber{board: newBoard(), sent: make(map[int64]int), attempts: make(map[string]int)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			DeliveryID string
			Sequence   int64
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			return // hark was killed while it wrote
		}
		s.change(func() { s.sent[e.Sequence]++; s.attempts[e.DeliveryID]++; s.held++ })
		if hold != nil {
			hold()
		}
		s.change(func() { s.held-- })
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// waitAll waits until each of the events 1 to n was sent.
func (s *subscriber) waitAll(t *testing.T, n int64) {
	t.Helper()
	s.wait(t, "all events at the subscriber", func() bool { return int64(len(s.sent)) >= n })
	s.look(func() {
		for i := range n {
			if s.sent[i+1] == 0 {
				t.Errorf("the event %d was not sent", i+1)
			}
		}
	})
}

// input is a CreateEventSubscriptionInput for secret:update.
func input(t *testing.T, c testkit.Client, endpoint string) testkit.Vars {
	t.Helper()
	return testkit.Vars{
		"eventDefinitionIds": []string{definition(t, c)}, "subscriberService": "billing", "deliveryEndpoint": endpoint,
		"auth": testkit.Vars{"apiKey": testkit.Vars{"key": "key-of-billing"}}, "timeoutSeconds": 1, "maxInFlight": 64,
	}
}

// definition is the id of secret:update.
func definition(t *testing.T, c testkit.Client) string {
	t.Helper()
	type data struct {
		EventDefinitions struct{ Nodes []struct{ ID string } }
	}
	found := testkit.MustCall[data](t, c, `{ eventDefinitions(filter: {sourceService: "secret-manager", resourceType: "secret", operationType: "update"}) { nodes { id } } }`, nil)
	return found.EventDefinitions.Nodes[0].ID
}

// created is the answer of create.
type created struct {
	CreateEventSubscription struct {
		EventSubscription struct{ ID string }
		SigningSecret     string
	}
}

const createMutation = `mutation($input: CreateEventSubscriptionInput!) { createEventSubscription(input: $input) { eventSubscription { id } signingSecret } }`

// create creates the subscription of input.
func create(t *testing.T, c testkit.Client, input testkit.Vars) (id, signingSecret string) {
	t.Helper()
	p := testkit.MustCall[created](t, c, createMutation, testkit.Vars{"input": input}).CreateEventSubscription
	return p.EventSubscription.ID, p.SigningSecret
}
