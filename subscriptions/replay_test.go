package subscriptions_test

import (
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/replay"
	"github.com/hark-events/hark/subscriptions"
)

// TestReplayGoesOnWithoutItsNode has a node end after the first batch of a
// replay: another one does the rest.
func TestReplayGoesOnWithoutItsNode(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, n, other *node) {
		row := n.subscribe(t)
		for range 5 {
			n.publish(t, 500)
		}
		failed := func() {
			t.Helper()
			if err := n.store.Ent().Delivery.Update().SetStatus(hark.Failed).SetAttemptCount(3).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		again := func() {
			t.Helper()
			got, err := n.Replay(as(t), subscriptions.ReplayDeliveriesInput{EventSubscriptionID: row.ID})
			if err != nil || got != 2500 {
				t.Fatalf("scheduled %d, %v", got, err)
			}
			if c := n.counts(t, row.ID); c[hark.Pending] != 1000 {
				t.Errorf("at once: %v", c)
			}
		}
		failed()
		again()
		other.keep(t)
		eventually(t, "all are due", func() bool { return n.counts(t, row.ID)[hark.Pending] == 2500 })
		if got := n.rows(t, delivery.ScheduleStartNEQ(3)); len(got) > 0 {
			t.Errorf("%d schedules do not begin anew", len(got))
		}
		if ds := n.claim(t, row.ID); len(ds) != 2500 || ds[0].Event.Sequence != 1 || ds[2499].Event.Sequence != 2500 {
			t.Errorf("claimed %d", len(ds))
		}
		// What its owner may not have is held, and found by those who release.
		some := func(_ hark.ID, e *hark.Event) bool { return false }
		n.authority.change(some)
		other.authority.change(some)
		failed()
		if _, err := n.Replay(as(t), subscriptions.ReplayDeliveriesInput{EventSubscriptionID: row.ID}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all are held", func() bool { return n.counts(t, row.ID)[hark.Held] == 2500 })
		// What stays held is looked at once.
		if got, err := n.Replay(as(t), subscriptions.ReplayDeliveriesInput{EventSubscriptionID: row.ID, Status: []hark.DeliveryStatus{hark.Held}}); err != nil || got != 2500 {
			t.Fatalf("scheduled %d, %v", got, err)
		}
		eventually(t, "the replay is done", func() bool { return n.store.Ent().Replay.Query().Where(replay.Done(false)).CountX(t.Context()) == 0 })
		if c := n.counts(t, row.ID); c[hark.Held] != 2500 {
			t.Errorf("what its owner may not have: %v", c)
		}
		other.authority.change(nil)
		eventually(t, "all are due again", func() bool { return n.counts(t, row.ID)[hark.Pending] == 2500 })
	})
}
