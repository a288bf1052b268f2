package e2e_test

import (
	"context"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestWebSocketCallbacks brings events to a receiver made of ws with each kind
// of credentials: several on one connection, acknowledged out of order.
func TestWebSocketCallbacks(t *testing.T) {
	t.Parallel()
	const payload = `{"b":1.0,"a":"<ä>"}`
	node := testkit.Hark(t)
	r := receive(t, "receiver_websocket.mjs")
	subscriptions := make(map[string]*subscription)
	for _, kind := range []string{"basic", "jwt", "oauth2", "apiKey"} {
		subscriptions[kind] = r.subscribe(node, "WEBSOCKET", kind, nil)
	}
	if _, errs, code := publish(t, node, event("/a", `1`), event("/b", `2`), event("/c", payload)); code != 0 {
		t.Fatal(errs)
	}
	for kind, s := range subscriptions {
		s.settled(t, node, 3)
		connections := make(map[string]bool)
		var last received
		for _, got := range r.took(kind) {
			connections[got.Connection] = true
			if strings.HasSuffix(got.Payload, `"payload":`+payload+`}`) {
				last = got
			}
		}
		if len(connections) != 1 {
			t.Errorf("%s: %d connections", kind, len(connections))
		}
		if last.EventType != "secret:update" || last.Attempt != 1 || last.Protocol != "hark.v1" {
			t.Errorf("%s: the receiver took %+v", kind, last)
		}
		s.verify(t, "", last.Headers)
	}
	if code := node.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r.shows(`"closed":1001,"reason":"hark is shutting down"`, len(subscriptions))
}

// TestWebSocketFailures shows that a nack and a close are failures that are
// tried again, and that a paused subscription hangs up.
func TestWebSocketFailures(t *testing.T) {
	t.Parallel()
	node := testkit.Hark(t)
	r := receive(t, "receiver_websocket.mjs")
	s := r.subscribe(node, "WEBSOCKET", "jwt", nil)
	for _, c := range []struct {
		payload, says string
		status        int
	}{
		{`"nack me"`, "nack: not yet", 101},
		{`"close me"`, "closed with 4000: not today", 4000},
	} {
		publishUpdate(t, node, c.payload)
	}
	s.settled(t, node, 2)
	found := make(map[string]int)
	for _, d := range s.Deliveries.Nodes {
		for _, a := range d.Attempts {
			if a.Error != "" && a.StatusCode != nil {
				found[a.Error] = *a.StatusCode
			}
		}
	}
	if found["nack: not yet"] != 101 || found["closed with 4000: not today"] != 4000 {
		t.Errorf("failed attempts: %v", found)
	}
	if err := node.Admin().Call(context.WithoutCancel(t.Context()), `mutation($id: UUID!) { pauseEventSubscription(id: $id) { id } }`, testkit.Vars{"id": s.ID}, nil); err != nil {
		t.Fatal(err)
	}
	r.shows(`"closed":1000,"reason":"the subscription was paused, disabled or deleted"`, 1)
}
