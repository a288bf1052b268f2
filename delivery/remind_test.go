package delivery_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

// TestRetriesComeInTime has many deliveries tried again after short waits: each
// comes when it is due, and the queue is asked no more often for it.
func TestRetriesComeInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		const n, subscriptions = 200, 3
		var all []*hark.Subscription
		_, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			return delivery.Receipt{StatusCode: 500}, errors.New("answered 500")
		}, delivery.Config{Concurrency: 1000})
		time.Sleep(300 * time.Millisecond) // beside the beat of the poll
		for range subscriptions {
			s := subscribe(&q, func(s *hark.Subscription) {
				s.MaxInFlight, s.Schedule = n, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}
			})
			q.Add(s.ID, deliverytest.Event(), n, 0)
			all = append(all, s)
		}
		time.Sleep(10 * time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			for _, r := range q.Rows(s.ID) {
				if len(r.Attempts) != 4 {
					t.Fatalf("%d attempts, want 4", len(r.Attempts))
				}
				for i, a := range r.Attempts[1:] {
					if late := a.StartedAt.Sub(r.Attempts[i].NextAt); late < 0 || late > 60*time.Millisecond {
						t.Fatalf("attempt %d began %v after it was due", i+2, late)
					}
				}
			}
		}
		if due, claims := q.Calls("Due"), q.Calls("Claim"); due > 30 || claims > 150 {
			t.Errorf("%d looks and %d claims for %d attempts in 10 s", due, claims, 4*n*subscriptions)
		}
	})
}

// TestLostSecretsMayComeBack has a subscription whose secrets open again, with
// nothing else changed.
func TestLostSecretsMayComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		s := subscribe(&q, func(s *hark.Subscription) { s.Lost = "the key is gone" })
		calls := 0
		_, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			calls++
			return ok, nil
		}, delivery.Config{})
		q.Add(s.ID, deliverytest.Event(), 1, 0)
		time.Sleep(2 * time.Second)
		if r := q.Rows(s.ID)[0]; calls != 0 || r.Status != hark.Pending || r.Attempts[0].Error != "the key is gone" {
			t.Errorf("%d calls; %s: %+v", calls, r.Status, r.Attempts)
		}
		back := *s
		back.Lost = ""
		q.Subscribe(&back)
		time.Sleep(10 * time.Second)
		_ = stop()
		if r := q.Rows(s.ID)[0]; calls != 1 || r.Status != hark.Succeeded {
			t.Errorf("%d calls; %s", calls, r.Status)
		}
	})
}
