package subscriptions_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/subscriptions"
)

func TestRetryBeginsTheScheduleAnew(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t)
		schedule := []time.Duration{time.Hour}
		attempt := func() *hark.Attempt {
			t.Helper()
			ds := n.claim(t, row.ID)
			if len(ds) != 1 {
				t.Fatalf("claimed %d", len(ds))
			}
			a := &hark.Attempt{Delivery: ds[0], StartedAt: hark.Now(), StatusCode: 500}
			delivery.Decide(a, schedule, delivery.Receipt{}, errors.New("answered 500"))
			if a.Status == hark.Pending {
				a.NextAt = hark.Now()
			}
			if err := st.Record(t.Context(), []*hark.Attempt{a}); err != nil {
				t.Fatal(err)
			}
			return a
		}
		n.publish(t, 1)
		for round := range 3 {
			for i, want := range []hark.DeliveryStatus{hark.Pending, hark.Failed} {
				if a := attempt(); a.Status != want || a.Delivery.Attempt != 2*round+i+1 {
					t.Fatalf("round %d, attempt %d: %s", round, a.Delivery.Attempt, a.Status)
				}
			}
			d := n.rows(t)[0]
			if round == 1 { // a replay is a retry of many
				if _, err := n.Replay(as(t), subscriptions.ReplayDeliveriesInput{EventSubscriptionID: row.ID}); err != nil {
					t.Fatal(err)
				}
			} else if _, err := n.Retry(as(t), d.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRetryWhilePausedIsHeld(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	row := n.subscribe(t)
	n.publish(t, 1)
	n.record(t, n.claim(t, row.ID)[0], hark.Failed, time.Second)
	if _, err := n.Pause(as(t), row.ID); err != nil {
		t.Fatal(err)
	}
	d, err := n.Retry(as(t), n.rows(t)[0].ID)
	if err != nil || d.Status != hark.Held || len(n.claim(t, row.ID)) != 0 {
		t.Fatal(d, err)
	}
	if _, err := n.Resume(as(t), row.ID, hark.Deliver); err != nil {
		t.Fatal(err)
	}
	if len(n.claim(t, row.ID)) != 1 {
		t.Error("it is not due once the subscription is resumed")
	}
}
