package delivery_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

// warm makes a subscription to which the worker has delivered once.
func warm(t *testing.T, q *deliverytest.Queue, w *delivery.Worker, change func(*hark.Subscription)) *hark.Subscription {
	t.Helper()
	s := subscribe(q, change)
	q.Add(s.ID, deliverytest.Event(), 1, 0)
	w.Wake()
	time.Sleep(time.Second)
	return s
}

func TestHandOverNeedsNoClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		w, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			return ok, nil
		}, delivery.Config{})
		s := warm(t, &q, w, nil)
		claims := q.Calls("Claim")
		for range 5 {
			if !reserve(w, s) {
				t.Fatal("no slot")
			}
		}
		w.Unreserve(s.ID, 2) // a transaction that failed
		w.Start(q.Add(s.ID, deliverytest.Event(), 3, delivery.Lease(s.Timeout)))
		synctest.Wait()
		for _, r := range q.Rows(s.ID) {
			if r.Status != hark.Succeeded {
				t.Errorf("a delivery is %s", r.Status)
			}
		}
		if got := q.Calls("Claim"); got != claims {
			t.Errorf("%d claims", got-claims)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if reserve(w, s) {
			t.Error("a slot in a worker that has ended")
		}
	})
}

func TestDueNeedsNoSearch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		w, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			return ok, nil
		}, delivery.Config{})
		known, fresh := warm(t, &q, w, func(s *hark.Subscription) { s.Ordered = true }), subscribe(&q, nil)
		time.Sleep(300 * time.Millisecond) // between two looks of the worker's own
		searches := q.Calls("Due")
		for _, s := range []*hark.Subscription{known, fresh} {
			if reserve(w, s) {
				t.Fatal("an ordered and a new subscription have to wait for their turns")
			}
			q.Add(s.ID, deliverytest.Event(), 1, 0)
		}
		w.Due()
		synctest.Wait()
		for _, s := range []*hark.Subscription{known, fresh} {
			for _, r := range q.Rows(s.ID) {
				if r.Status != hark.Succeeded {
					t.Errorf("a delivery is %s", r.Status)
				}
			}
		}
		if got := q.Calls("Due"); got != searches {
			t.Errorf("%d searches", got-searches)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestReserveRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*hark.Subscription)
		before func(*deliverytest.Queue, *delivery.Worker, *hark.Subscription)
		want   bool
	}{
		"nothing to refuse":  {want: true},
		"ordered":            {change: func(s *hark.Subscription) { s.Ordered = true }},
		"paced":              {change: func(s *hark.Subscription) { s.MaxPerSecond = 100 }},
		"failing":            {change: func(s *hark.Subscription) { s.Endpoint = "fails" }},
		"another version":    {before: func(_ *deliverytest.Queue, _ *delivery.Worker, s *hark.Subscription) { s.Version++ }},
		"never delivered to": {before: func(_ *deliverytest.Queue, _ *delivery.Worker, s *hark.Subscription) { s.ID = hark.NewID() }},
		"full": {change: func(s *hark.Subscription) { s.MaxInFlight = 2 }, before: func(_ *deliverytest.Queue, w *delivery.Worker, s *hark.Subscription) {
			reserve(w, s)
			reserve(w, s)
		}},
		"older work waits": {
			change: func(s *hark.Subscription) { s.Endpoint = "slow"; s.MaxInFlight = 2 },
			before: func(q *deliverytest.Queue, w *delivery.Worker, s *hark.Subscription) {
				q.Add(s.ID, deliverytest.Event(), 40, 0)
				w.Wake()
				time.Sleep(1500 * time.Millisecond) // the first two have ended, the next run
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var q deliverytest.Queue
				w, stop := start(t, &q, func(_ context.Context, s *hark.Subscription, _ *hark.Delivery) (delivery.Receipt, error) {
					switch s.Endpoint {
					case "fails":
						return ok, errors.New("answered 500")
					case "slow":
						time.Sleep(time.Second)
					}
					return ok, nil
				}, delivery.Config{DrainTimeout: time.Second})
				s := *warm(t, &q, w, tt.change)
				time.Sleep(time.Second)
				if tt.before != nil {
					tt.before(&q, w, &s)
				}
				if got := reserve(w, &s); got != tt.want {
					t.Errorf("Reserve is %v", got)
				}
				_ = stop() // what is reserved here never starts
			})
		})
	}
}

func TestConcurrentHandOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		var done atomic.Int32
		w, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			done.Add(1)
			return ok, nil
		}, delivery.Config{Concurrency: 8})
		s := warm(t, &q, w, nil)
		publish := func() {
			for range 500 {
				if reserve(w, s) {
					w.Start(q.Add(s.ID, deliverytest.Event(), 1, delivery.Lease(s.Timeout)))
				} else {
					q.Add(s.ID, deliverytest.Event(), 1, 0)
					w.Due()
				}
			}
		}
		go publish()
		go publish()
		time.Sleep(10 * time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if done.Load() != 1001 {
			t.Errorf("%d attempts for 1001 deliveries", done.Load())
		}
	})
}

func reserve(w *delivery.Worker, s *hark.Subscription) bool {
	_, ok := w.Reserve(s.ID, s.Version)
	return ok
}

// TestWhoFailsIsNotClaimedForEachCommit: while a circuit is open, nothing of
// what is published is to be claimed, and a claim for each commit would find that.
func TestWhoFailsIsNotClaimedForEachCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		var well atomic.Bool
		w, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			if well.Load() {
				return ok, nil
			}
			return delivery.Receipt{StatusCode: 503}, errors.New("answered 503")
		}, delivery.Config{})
		s := warm(t, &q, w, nil)
		claims := q.Calls("Claim")
		for range 50 {
			if reserve(w, s) {
				t.Fatal("a slot for a subscription that fails")
			}
			w.Due()
			synctest.Wait()
		}
		if got := q.Calls("Claim") - claims; got > 2 {
			t.Errorf("%d claims of what is not due", got)
		}
		well.Store(true)
		q.Add(s.ID, deliverytest.Event(), 3, 0)
		time.Sleep(2 * time.Second) // the next look finds them
		for _, r := range q.Rows(s.ID)[1:] {
			if r.Status != hark.Succeeded {
				t.Errorf("a delivery is %s", r.Status)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
