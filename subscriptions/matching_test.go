package subscriptions_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/subscriptions"
)

// TestMatchingIsExact changes subscriptions on one node and publishes at once
// on the other: each event goes to those that are active, is held for those
// that are paused, and is unknown to those that are deleted or not yet created.
func TestMatchingIsExact(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		want := map[hark.ID]hark.DeliveryStatus{} // what becomes of the next event
		holds := map[hark.ID]bool{}
		var ids []hark.ID
		for step := range 40 {
			n := []*node{a, b}[random.IntN(2)]
			var id hark.ID
			if len(ids) > 0 {
				id = ids[random.IntN(len(ids))]
			}
			var err error
			action := random.IntN(6)
			switch {
			case action == 0 || len(ids) < 3:
				row := n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) {
					in.Active, in.HoldWhilePaused = random.IntN(2) == 0, ref(random.IntN(2) == 0)
				})
				ids, id, holds[row.ID] = append(ids, row.ID), row.ID, row.HoldWhilePaused
				want[id] = hark.Held
				if !holds[id] {
					want[id] = hark.Discarded
				}
				if row.Active {
					want[id] = hark.Pending
				}
			case want[id] == "": // deleted
			case action == 1:
				err = n.Delete(as(t), id)
				want[id] = ""
			case action == 2 || action == 3:
				if action == 2 {
					_, err = n.Pause(as(t), id)
				} else {
					_, err = n.Update(as(t), id, subscriptions.UpdateEventSubscriptionInput{Active: ref(false)})
				}
				if want[id] = hark.Held; !holds[id] {
					want[id] = hark.Discarded
				}
			case action == 4:
				_, err = n.Resume(as(t), id, hark.Deliver)
				want[id] = hark.Pending
			case action == 5:
				_, err = n.Update(as(t), id, subscriptions.UpdateEventSubscriptionInput{Active: ref(true), AllowOverlap: ref(true)})
				want[id] = hark.Pending
			}
			if err != nil {
				t.Fatalf("step %d, action %d: %v", step, action, err)
			}
			event := map[*node]*node{a: b, b: a}[n].publish(t, 1)[0]
			got := map[hark.ID]hark.DeliveryStatus{}
			for _, d := range a.rows(t, delivery.EventID(event.ID)) {
				got[d.SubscriptionID] = d.Status
			}
			for _, id := range ids {
				if got[id] != want[id] {
					t.Fatalf("step %d, action %d: the event became %q for a subscription, want %q", step, action, got[id], want[id])
				}
			}
		}
	})
}

// TestNothingIsLostWhilePausing pauses and resumes under a stream of events
// from two nodes. Each event gets one delivery, and at the end all are due once.
func TestNothingIsLostWhilePausing(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		row := a.subscribe(t)
		var publishers sync.WaitGroup
		for i := range 4 {
			publishers.Go(func() {
				for n := range 30 {
					[]*node{a, b}[i%2].publish(t, 1+n%3)
				}
			})
		}
		stop := make(chan struct{})
		go func() { publishers.Wait(); close(stop) }()
		due := map[hark.ID]int{}
		for live, i := true, 0; live; i++ {
			select {
			case <-stop:
				live = false
			default:
			}
			n := []*node{a, b}[i%2]
			if _, err := n.Pause(as(t), row.ID); err != nil {
				t.Fatal(err)
			}
			if ds := b.claim(t, row.ID); len(ds) != 0 {
				t.Fatalf("%d deliveries are due although the subscription is paused", len(ds))
			}
			if _, err := n.Resume(as(t), row.ID, hark.Deliver); err != nil {
				t.Fatal(err)
			}
			for _, d := range a.claim(t, row.ID) {
				due[d.Event.ID]++
			}
		}
		for _, d := range a.claim(t, row.ID) {
			due[d.Event.ID]++
		}
		if len(due) != 4*60 {
			t.Errorf("%d of %d events were delivered", len(due), 4*60)
		}
		for id, n := range due {
			if n != 1 {
				t.Errorf("event %s is due %d times", id, n)
			}
		}
	})
}

// TestChangesAndPublishesDoNotDeadlock runs everything that takes locks side by side.
func TestChangesAndPublishesDoNotDeadlock(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		shared := a.subscribe(t)
		a.driver.answer, b.driver.answer = flaky(), flaky()
		a.run(t)
		b.run(t)
		ctx := as(t)
		var all sync.WaitGroup
		for i := range 2 {
			n := []*node{a, b}[i]
			for name, f := range map[string]func(step int) error{
				"publish": func(int) error { n.publish(t, 10); return nil },
				"pause":   func(int) error { _, err := n.Pause(ctx, shared.ID); return err },
				"resume": func(step int) error {
					_, err := n.Resume(ctx, shared.ID, []hark.Backlog{hark.Deliver, hark.Discard}[step%2])
					return err
				},
				"update": func(step int) error {
					_, err := n.Update(ctx, shared.ID, subscriptions.UpdateEventSubscriptionInput{
						TimeoutSeconds: ref(1 + step), EventDefinitionIds: []hark.ID{n.definition(t, "update"), n.definition(t, "create")}, AllowOverlap: ref(true),
					})
					return err
				},
				"create and delete": func(int) error { return n.Delete(ctx, n.subscribe(t).ID) },
				"rotate":            func(int) error { _, _, _, err := n.RotateSigningSecret(ctx, shared.ID, 60); return err },
				"replay": func(int) error {
					_, err := n.Replay(ctx, subscriptions.ReplayDeliveriesInput{EventSubscriptionID: shared.ID, Status: []hark.DeliveryStatus{hark.Failed, hark.Discarded, hark.Held}})
					return err
				},
				"retention": func(int) error { _, err := n.store.Trim(ctx, hark.Now()); return err },
			} {
				all.Go(func() {
					for step := range 8 {
						if err := f(step); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
				})
			}
		}
		all.Wait()
		if s := fmt.Sprint(a.authority.audited); s == "[]" {
			t.Error("nothing was audited")
		}
	})
}
