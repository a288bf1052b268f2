package delivery_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

// A pace is how long a subscriber takes to acknowledge, for as long as it is
// not changed.
type pace struct{ atomic.Int64 }

func (p *pace) Deliver(ctx context.Context, _ *hark.Subscription, _ *hark.Delivery) (delivery.Receipt, error) {
	select {
	case <-time.After(time.Duration(p.Load())):
		return ok, nil
	case <-ctx.Done():
		return delivery.Receipt{StatusCode: delivery.NoAnswer}, ctx.Err()
	}
}

// paced starts a worker for a subscription of 4 in flight whose subscriber takes
// 10 ms, and has been delivered to.
func paced(t *testing.T, q *deliverytest.Queue) (*pace, *delivery.Worker, *hark.Subscription, func() error) {
	t.Helper()
	var p pace
	p.Store(int64(10 * time.Millisecond))
	w, stop := start(t, q, p.Deliver, delivery.Config{})
	s := warm(t, q, w, func(s *hark.Subscription) { s.MaxInFlight = 4 })
	return &p, w, s, stop
}

func count(q *deliverytest.Queue, s *hark.Subscription) map[hark.DeliveryStatus]int {
	n := map[hark.DeliveryStatus]int{}
	for _, r := range q.Rows(s.ID) {
		n[r.Status]++
	}
	return n
}

func TestOneClaimBringsMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		_, w, s, stop := paced(t, &q)
		before := q.Calls("Claim")
		q.Add(s.ID, deliverytest.Event(), 1000, 0)
		w.Wake()
		time.Sleep(2500*time.Millisecond + time.Millisecond) // 4 each 10 ms
		if n := count(&q, s); n[hark.Succeeded] != 1001 {
			t.Errorf("%v", n)
		}
		if claims := q.Calls("Claim") - before; claims > 20 {
			t.Errorf("%d claims for 1,000 deliveries", claims)
		}
		for _, r := range q.Rows(s.ID) {
			if len(r.Attempts) != 1 {
				t.Fatalf("%d attempts", len(r.Attempts))
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestHandOverAheadOfTheSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		_, w, s, stop := paced(t, &q)
		claims := q.Calls("Claim")
		taken := 0
		for reserve(w, s) {
			taken++
		}
		if taken != 4+4*64 {
			t.Errorf("%d are taken; want 4 in flight and 64 ahead of each", taken)
		}
		w.Unreserve(s.ID, 60)
		w.Start(q.Add(s.ID, deliverytest.Event(), taken-60, delivery.Lease(s.Timeout)))
		time.Sleep(time.Second)
		if n := count(&q, s); n[hark.Succeeded] != 1+taken-60 {
			t.Errorf("%v", n)
		}
		if got := q.Calls("Claim"); got != claims {
			t.Errorf("%d claims", got-claims)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAheadOfASubscriberThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		p, w, s, stop := paced(t, &q)
		p.Store(int64(time.Hour))
		q.Add(s.ID, deliverytest.Event(), 100, 0)
		w.Wake()
		time.Sleep(14 * time.Second)
		if n := count(&q, s); n[hark.InProgress] != 100 {
			t.Fatalf("%v", n)
		}
		time.Sleep(2 * time.Second) // the first ones have timed out
		if n := count(&q, s); n[hark.InProgress] != 4 {
			t.Errorf("%v; want back what its lease does not cover any more", n)
		}
		p.Store(int64(10 * time.Millisecond))
		time.Sleep(time.Minute)
		if n := count(&q, s); n[hark.Succeeded] != 101 {
			t.Errorf("%v", n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestDrainGivesBackWhatIsAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		p, w, s, stop := paced(t, &q)
		p.Store(int64(5 * time.Second))
		q.Add(s.ID, deliverytest.Event(), 100, 0)
		w.Wake()
		time.Sleep(time.Second)
		ended := make(chan error)
		go func() { ended <- stop() }()
		synctest.Wait()
		if n := count(&q, s); n[hark.InProgress] != 4 || n[hark.Pending] != 96 {
			t.Errorf("%v while the attempts in flight go on", n)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := count(&q, s); n[hark.Succeeded] != 5 || n[hark.Pending] != 96 {
			t.Errorf("%v", n)
		}
	})
}

func TestWhatIsAheadOfAnOutdatedCopyGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		_, w, s, stop := paced(t, &q)
		q.Add(s.ID, deliverytest.Event(), 1000, 0)
		w.Wake()
		time.Sleep(15 * time.Millisecond)
		changed := *s
		changed.Version, changed.Ordered = 2, true
		q.Subscribe(&changed)
		time.Sleep(time.Second) // the next claim has told
		if n := count(&q, s); n[hark.InProgress] != 1 {
			t.Errorf("%v; want one at a time", n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestWhatIsAheadIsRecalled pauses a subscription elsewhere, while much is ahead
// of it here.
func TestWhatIsAheadIsRecalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		p, w, s, stop := paced(t, &q)
		p.Store(int64(20 * time.Second))
		q.Add(s.ID, deliverytest.Event(), 100, 0)
		w.Wake()
		time.Sleep(100 * time.Millisecond)
		if n := count(&q, s); n[hark.InProgress] != 100 {
			t.Fatalf("%v", n)
		}
		q.Stop(s.ID)
		time.Sleep(time.Second)
		if n := count(&q, s); n[hark.InProgress] != 4 || n[hark.Pending] != 96 {
			t.Errorf("%v; want back all but what is in flight", n)
		}
		if reserve(w, s) {
			t.Error("what is published next is leased ahead all the same")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
