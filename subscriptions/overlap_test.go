package subscriptions_test

import (
	"sync"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/subscriptions"
)

func TestOverlap(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	n.subscribe(t)
	strict := func(change func(*subscriptions.CreateEventSubscriptionInput)) error {
		in := n.input(t)
		in.AllowOverlap = false
		change(&in)
		_, _, err := n.Create(as(t), in)
		return err
	}
	type input = subscriptions.CreateEventSubscriptionInput
	want(t, "the same", strict(func(*input) {}), hark.Conflict, "input")
	want(t, "one definition in common", strict(func(in *input) { in.EventDefinitionIds = append(in.EventDefinitionIds, n.definition(t, "create")) }), hark.Conflict, "input")
	for name, change := range map[string]func(*input){
		"paused":           func(in *input) { in.Active = false },
		"other endpoint":   func(in *input) { in.DeliveryEndpoint += "/other" },
		"other subscriber": func(in *input) { in.SubscriberService = "other" },
		"other events":     func(in *input) { in.EventDefinitionIds = []hark.ID{n.definition(t, "delete")} },
	} {
		if err := strict(change); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	second := n.subscribe(t) // it allows the overlap
	type update = subscriptions.UpdateEventSubscriptionInput
	if _, err := n.Update(as(t), second.ID, update{TimeoutSeconds: ref(5)}); err != nil {
		t.Errorf("what was allowed hinders another change: %v", err)
	}
	if _, err := n.Update(as(t), second.ID, update{Active: ref(true)}); err != nil {
		t.Errorf("to say that it is active, which it is, hinders: %v", err)
	}
	_, err := n.Update(as(t), second.ID, update{SubscriberService: ref("billing")})
	want(t, "update", err, hark.Conflict, "input")
	if _, err := n.Update(as(t), second.ID, update{SubscriberService: ref("billing"), AllowOverlap: ref(true)}); err != nil {
		t.Error(err)
	}
}

// strictly subscribes without allowing an overlap.
func (n *node) strictly(t testing.TB, change ...func(*subscriptions.CreateEventSubscriptionInput)) *ent.EventSubscription {
	t.Helper()
	return n.subscribe(t, append(change, func(in *subscriptions.CreateEventSubscriptionInput) { in.AllowOverlap = false })...)
}

// TestOverlapWhenItBecomesActive sets up a second subscription while the first
// one is paused.
func TestOverlapWhenItBecomesActive(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	first := n.strictly(t)
	if _, err := n.Pause(as(t), first.ID); err != nil {
		t.Fatal(err)
	}
	events := n.publish(t, 3)
	second := n.strictly(t)
	for _, backlog := range []hark.Backlog{hark.Deliver, hark.Discard} {
		_, err := n.Resume(as(t), first.ID, backlog)
		want(t, "resume", err, hark.Conflict, "id")
	}
	if held := n.counts(t, first.ID)[hark.Held]; held != len(events) {
		t.Errorf("%d are still held after a resume that was refused, want %d", held, len(events))
	}
	_, err := n.Update(as(t), first.ID, subscriptions.UpdateEventSubscriptionInput{Active: ref(true)})
	want(t, "update", err, hark.Conflict, "input")
	if _, err := n.Update(as(t), first.ID, subscriptions.UpdateEventSubscriptionInput{Active: ref(true), AllowOverlap: ref(true)}); err != nil {
		t.Error(err)
	}
	for _, id := range []hark.ID{first.ID, second.ID} { // what was allowed once needs no word again, of either
		if _, err := n.Pause(as(t), id); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Resume(as(t), id, hark.Deliver); err != nil {
			t.Error(err)
		}
	}
	_, err = n.Update(as(t), first.ID, subscriptions.UpdateEventSubscriptionInput{AllowOverlap: ref(false)})
	want(t, "allowed no more", err, hark.Conflict, "input")
}

// TestOverlapOfTwoAtOnce has two nodes make the like active at the same time: one
// of them is refused.
func TestOverlapOfTwoAtOnce(t *testing.T) {
	t.Parallel()
	type input = subscriptions.CreateEventSubscriptionInput
	type update = subscriptions.UpdateEventSubscriptionInput
	for name, activate := range map[string]func(n *node, row *ent.EventSubscription) error{
		"create": func(n *node, row *ent.EventSubscription) error {
			in := n.input(t)
			in.AllowOverlap, in.SubscriberService = false, row.SubscriberService
			_, _, err := n.Create(as(t), in)
			return err
		},
		"resume": func(n *node, row *ent.EventSubscription) error {
			_, err := n.Resume(as(t), row.ID, hark.Deliver)
			return err
		},
		"activate": func(n *node, row *ent.EventSubscription) error {
			_, err := n.Update(as(t), row.ID, update{Active: ref(true)})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes(t, func(t *testing.T, a, b *node) {
				for round := range 10 {
					errs := make([]error, 2)
					var both sync.WaitGroup
					for i, n := range []*node{a, b} {
						row := n.strictly(t, func(in *input) { in.Active, in.SubscriberService = false, string(rune('a'+round)) })
						both.Go(func() { errs[i] = activate(n, row) })
					}
					both.Wait()
					if (errs[0] == nil) == (errs[1] == nil) {
						t.Fatalf("round %d: %v and %v", round, errs[0], errs[1])
					}
				}
			})
		})
	}
}
