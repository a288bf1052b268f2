package subscriptions_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/subscriptions"
)

// hear waits until the stream has told of what, and fails when it tells of one twice.
func hear(t *testing.T, changes <-chan *ent.Delivery, what map[string]bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for len(what) > 0 {
		select {
		case d := <-changes:
			key := fmt.Sprint(d.ID, d.Status, d.AttemptCount)
			if !what[key] && d.Status == hark.InProgress {
				continue // between two looks it may have come further, or not
			}
			if !what[key] {
				t.Fatalf("unexpected or repeated: %s", key)
			}
			delete(what, key)
		case <-deadline:
			t.Fatalf("%d changes were not told", len(what))
		}
	}
}

func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row, other := n.subscribe(t), n.subscribe(t)
		n.publish(t, 3)
		n.record(t, n.claim(t, row.ID)[0], hark.Succeeded, 0)
		ctx, cancel := context.WithCancel(as(t))
		changes, err := n.Changes(ctx, &subscriptions.DeliveryFilter{EventSubscriptionID: &row.ID})
		if err != nil {
			t.Fatal(err)
		}
		n.publish(t, 4)
		expect := map[string]bool{}
		for _, d := range n.claim(t, row.ID) {
			expect[fmt.Sprint(d.ID, hark.InProgress, 0)] = true
		}
		hear(t, changes, expect)

		ds := n.rows(t)
		expect = map[string]bool{}
		for _, d := range ds {
			if d.SubscriptionID != row.ID || d.Status != hark.InProgress || d.CreatedAt == ds[0].CreatedAt {
				continue
			}
			status := []hark.DeliveryStatus{hark.Pending, hark.Failed, hark.Succeeded}[len(expect)%3]
			n.record(t, &hark.Delivery{ID: d.ID, SubscriptionID: row.ID, Attempt: 1, LeasedUntil: d.LeasedUntil}, status, 0)
			expect[fmt.Sprint(d.ID, status, 1)] = true
		}
		hear(t, changes, expect)

		failed := n.rows(t)
		for _, d := range failed {
			if d.Status == hark.Failed {
				if _, err := n.Discard(as(t), d.ID); err != nil {
					t.Fatal(err)
				}
				expect[fmt.Sprint(d.ID, hark.Discarded, 1)] = true
			}
		}
		hear(t, changes, expect)
		n.record(t, n.claim(t, other.ID)[0], hark.Succeeded, 0) // is not asked for
		cancel()
		for d := range changes {
			t.Errorf("unexpected: %v", d)
		}
	})
}

// TestChangesKeepUp tells of many more changes than one read takes.
func TestChangesKeepUp(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	row := n.subscribe(t)
	n.publish(t, 1000)
	n.publish(t, 300)
	changes, err := n.Changes(as(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	ds := n.claim(t, row.ID)
	attempts := make([]*hark.Attempt, len(ds))
	expect := map[string]bool{}
	for i, d := range ds {
		attempts[i] = &hark.Attempt{Delivery: d, StartedAt: hark.Now(), StatusCode: 200, Status: hark.Succeeded}
		expect[fmt.Sprint(d.ID, hark.Succeeded, 1)] = true
	}
	if err := n.store.Record(t.Context(), attempts); err != nil {
		t.Fatal(err)
	}
	hear(t, changes, expect)
}

// TestChangesOfSlowTransactions commits attempts in another order than that of their ids.
func TestChangesOfSlowTransactions(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.PostgresStore(t))
	row := n.subscribe(t)
	n.publish(t, 2)
	changes, err := n.Changes(as(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	ds := n.claim(t, row.ID)
	outcome := func(tx *ent.Tx, d *hark.Delivery) error {
		if err := tx.Delivery.UpdateOneID(d.ID).SetStatus(hark.Pending).SetAttemptCount(1).Exec(t.Context()); err != nil {
			return err
		}
		return tx.DeliveryAttempt.Create().SetDeliveryID(d.ID).SetSubscriptionID(row.ID).SetNumber(1).SetStartedAt(hark.Now()).SetDurationNs(1).
			SetStatusCode(500).SetResponseBody("").SetError("answered 500").Exec(t.Context())
	}
	err = n.store.Tx(t.Context(), func(slow *ent.Tx) error {
		if err := outcome(slow, ds[0]); err != nil {
			return err
		}
		if err := n.store.Tx(t.Context(), func(quick *ent.Tx) error { return outcome(quick, ds[1]) }); err != nil {
			return err
		}
		hear(t, changes, map[string]bool{fmt.Sprint(ds[1].ID, hark.Pending, 1): true}) // its id is the greater one
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	hear(t, changes, map[string]bool{fmt.Sprint(ds[0].ID, hark.Pending, 1): true})
}

func TestChangesRefuse(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	n.authority.hidden = hark.NewID()
	_, err := n.Changes(as(t), &subscriptions.DeliveryFilter{ProjectID: &n.authority.hidden})
	want(t, "out of sight", err, hark.NotFound, "")
	_, err = n.Changes(as(t), &subscriptions.DeliveryFilter{Since: ref(hark.Time(2)), Until: ref(hark.Time(1))})
	want(t, "since after until", err, hark.BadUserInput, "filter.since")
}

// TestChangesByHandAreTold tells of what no attempt brings about.
func TestChangesByHandAreTold(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, n, other *node) {
		row := n.subscribe(t)
		n.publish(t, 3)
		flying := n.claim(t, row.ID)
		changes, err := other.Changes(as(t), nil) // on another node
		if err != nil {
			t.Fatal(err)
		}
		expect := func(status hark.DeliveryStatus, attempts int, ds ...*ent.Delivery) {
			t.Helper()
			what := map[string]bool{}
			for _, d := range ds {
				what[fmt.Sprint(d.ID, status, attempts)] = true
			}
			hear(t, changes, what)
		}
		for _, d := range flying {
			n.record(t, d, hark.Pending, 0)
		}
		ds := n.rows(t)
		expect(hark.Pending, 1, ds...)
		do := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		_, err = n.Pause(as(t), row.ID)
		do("pause", err)
		expect(hark.Held, 1, ds...)
		_, err = n.Resume(as(t), row.ID, hark.Deliver)
		do("resume", err)
		expect(hark.Pending, 1, ds...)
		for _, d := range n.claim(t, row.ID) {
			expect(hark.InProgress, 1, &ent.Delivery{ID: d.ID})
			n.record(t, d, hark.Failed, 0)
			expect(hark.Failed, 2, &ent.Delivery{ID: d.ID})
		}
		_, err = n.Retry(as(t), ds[0].ID)
		do("retry", err)
		expect(hark.Pending, 2, ds[0])
		_, err = n.Replay(as(t), subscriptions.ReplayDeliveriesInput{EventSubscriptionID: row.ID})
		do("replay", err)
		expect(hark.Pending, 2, ds[1:]...)
	})
}
