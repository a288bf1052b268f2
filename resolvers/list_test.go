package resolvers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestTotalsAreCountedWhenAsked(t *testing.T) {
	t.Parallel()
	h := build(t, testkit.Store(t))
	for range 3 {
		h.subscribe()
	}
	for _, query := range []string{
		`{ eventSubscriptions(first: 1) { totalCount } }`,
		`{ eventSubscriptions(first: 1) { n: totalCount } }`,
		`{ eventSubscriptions(first: 1) { ...all } } fragment all on EventSubscriptionConnection { nodes { id } ...count } fragment count on EventSubscriptionConnection { totalCount }`,
		`{ eventSubscriptions(first: 1) { ... on EventSubscriptionConnection { totalCount } } }`,
		`query($yes: Boolean! = true) { eventSubscriptions(first: 1) { totalCount @include(if: $yes) } }`,
	} {
		list := h.do("eventSubscriptions", query).(map[string]any)
		if list["totalCount"] != 3.0 && list["n"] != 3.0 {
			t.Errorf("%s: %v", query, list)
		}
	}
}

// TestLongListsAreQuick asks for 500 deliveries with what belongs to each.
func TestLongListsAreQuick(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		h := build(t, st)
		h.t = t
		id := h.subscribe()
		h.do("pauseEventSubscription.active", `mutation($id: UUID!) { pauseEventSubscription(id: $id) { active } }`, "id", id)
		var list []any
		for i := range 500 {
			list = append(list, map[string]any{"sourceService": "secret-manager", "resourceType": "secret", "operationType": "update", "payload": i})
		}
		h.do("publishEvents.duplicates", `mutation($in: [PublishEventInput!]!) { publishEvents(input: $in) { duplicates } }`, "in", list)
		start := time.Now()
		nodes := h.do("deliveries.nodes", `{ deliveries(first: 500) { nodes { id event { payload sequence definition { key } } eventSubscription { id subscriberService project { slug } eventDefinitions { key } } } } }`).([]any)
		took := time.Since(start)
		t.Logf("500 deliveries with their events and subscriptions took %s", took)
		if len(nodes) != 500 || took > 20*time.Second {
			t.Errorf("%d deliveries took %s", len(nodes), took)
		}
		seen := map[string]bool{}
		for _, d := range nodes {
			seen[fmt.Sprint(at(t, d, "event.payload"))] = at(t, d, "eventSubscription.id") == id
		}
		if len(seen) != 500 || !seen["0"] || !seen["499"] {
			t.Errorf("%d different events", len(seen))
		}
	})
}
