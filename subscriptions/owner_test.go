package subscriptions_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/subscriptions"
)

// publishIn publishes one secret:update in each environment.
func (n *node) publishIn(t testing.TB, environments ...string) []*hark.Event {
	t.Helper()
	var list []*hark.NewEvent
	for _, e := range environments {
		list = append(list, &hark.NewEvent{
			Kind:        hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
			Environment: e, Payload: hark.JSON(`[]`),
		})
	}
	stored, _, err := n.publisher.Publish(as(t), list)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// outcome is what the subscription explains of an event.
func (n *node) outcome(t testing.TB, row *ent.EventSubscription, e *hark.Event) subscriptions.ExplanationOutcome {
	t.Helper()
	x, err := n.Explain(as(t), row, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	return x.Outcome
}

func TestWhatTheOwnerMayNotHaveIsHeld(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, n, other *node) {
		row, open := n.subscribe(t), n.subscribe(t)
		before := n.publishIn(t, "prod")[0]
		lost := func(owner hark.ID, e *hark.Event) bool { return owner != row.OwnerID || e.Environment == "dev" }
		n.authority.change(lost)
		other.authority.change(lost)
		events := append(n.publishIn(t, "prod", "dev"), other.publishIn(t, "prod")...)

		if c := n.counts(t, row.ID); c[hark.Pending] != 2 || c[hark.Held] != 2 {
			t.Errorf("%v; want the event of before and the one of dev to be pending", c)
		}
		if c := n.counts(t, open.ID); c[hark.Pending] != 4 {
			t.Errorf("another owner's: %v", c)
		}
		for i, want := range []subscriptions.ExplanationOutcome{subscriptions.OwnerNotPermitted, subscriptions.Matched, subscriptions.OwnerNotPermitted} {
			if got := n.outcome(t, row, events[i]); got != want {
				t.Errorf("event %d: %s, want %s", i, got, want)
			}
		}
		if got := n.outcome(t, row, before); got != subscriptions.Matched {
			t.Errorf("the event of before: %s", got)
		}
		// Neither a resume nor a worker brings what is held for that reason.
		if _, err := n.Pause(as(t), row.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Resume(as(t), row.ID, hark.Deliver); err != nil {
			t.Fatal(err)
		}
		if got := n.claim(t, row.ID); len(got) != 2 {
			t.Errorf("claimed %d", len(got))
		}
		held := n.held(t, row)
		_, err := n.Retry(as(t), held[0].ID)
		want(t, "retry", err, hark.Conflict, "")

		n.keep(t)
		part := func(_ hark.ID, e *hark.Event) bool { return e.Sequence != events[0].Sequence }
		n.authority.change(part)
		eventually(t, "the last one waits", func() bool { return n.counts(t, row.ID)[hark.Pending] == 1 })
		n.authority.change(nil)
		eventually(t, "both wait", func() bool { return n.counts(t, row.ID)[hark.Held] == 0 })
		var got []int64
		for _, d := range n.claim(t, row.ID) {
			got = append(got, d.Event.Sequence)
		}
		if !slices.Equal(got, []int64{events[0].Sequence, events[2].Sequence}) {
			t.Errorf("delivered in the order %v", got)
		}
	})
}

// held lists what a subscription has held.
func (n *node) held(t testing.TB, row *ent.EventSubscription) (held []*ent.Delivery) {
	t.Helper()
	for _, d := range n.rows(t) {
		if d.SubscriptionID == row.ID && d.Status == hark.Held {
			held = append(held, d)
		}
	}
	return held
}

func TestWhatIsHeldForItsOwnerEnds(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t)
		n.authority.change(func(hark.ID, *hark.Event) bool { return false })
		e := n.publish(t, 3)[0]
		if _, err := st.Trim(t.Context(), e.PublishedAt); err != nil {
			t.Fatal(err)
		}
		if c := n.counts(t, row.ID); c[hark.Held] != 3 {
			t.Errorf("what is young: %v", c)
		}
		if _, err := st.Trim(t.Context(), hark.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if c := n.counts(t, row.ID); c[hark.Held] != 0 {
			t.Errorf("what is old: %v", c)
		}
		n.publish(t, 2)
		if _, err := n.Pause(as(t), row.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Resume(as(t), row.ID, hark.Discard); err != nil {
			t.Fatal(err)
		}
		if c := n.counts(t, row.ID); c[hark.Held] != 0 || c[hark.Discarded] < 2 {
			t.Errorf("after a resume that discards: %v", c)
		}
	})
}

func TestWhoMayNotSubscribeSendsNothingAnywhere(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	row := n.subscribe(t)
	var asked []hark.Registration
	n.authority.register = func(_ context.Context, register []hark.Registration) error {
		asked = register
		return hark.Errorf(hark.Forbidden, "no role of yours allows it")
	}
	prod := []*hark.Conditions{{EnvironmentSlug: ref("prod")}, {SecretPath: ref("/app/**")}}
	in := n.input(t)
	in.Conditions = prod
	_, _, err := n.Create(as(t), in)
	want(t, "create", err, hark.Forbidden, "")
	if len(asked) != 2 || asked[0].Event != "secret-manager/secret:update" || asked[0].Conditions != prod[0] || asked[1].Conditions != prod[1] {
		t.Errorf("asked for %+v", asked)
	}
	_, err = n.Preview(as(t), in, 10)
	want(t, "preview", err, hark.Forbidden, "")
	_, err = n.Update(as(t), row.ID, subscriptions.UpdateEventSubscriptionInput{DeliveryEndpoint: ref("http://127.0.0.1:1/mine")})
	want(t, "another endpoint", err, hark.Forbidden, "")
	if _, err := n.Update(as(t), row.ID, subscriptions.UpdateEventSubscriptionInput{TimeoutSeconds: ref(3)}); err != nil {
		t.Errorf("another time-out: %v", err)
	}
}
