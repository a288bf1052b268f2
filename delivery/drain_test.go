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

func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		s := subscribe(&q, nil)
		_, stop := start(t, &q, func(ctx context.Context, _ *hark.Subscription, _ *hark.Delivery) (delivery.Receipt, error) {
			select {
			case <-time.After(3 * time.Second):
				return ok, nil
			case <-ctx.Done():
				return ok, ctx.Err()
			}
		}, delivery.Config{Concurrency: 4})
		q.Add(s.ID, deliverytest.Event(), 10, 0)
		time.Sleep(1500 * time.Millisecond)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		var n int
		for _, r := range q.Rows(s.ID) {
			switch {
			case r.Status == hark.Succeeded:
				n++
			case r.Status != hark.Pending:
				t.Errorf("a delivery is %s after the drain", r.Status)
			}
		}
		if n != 2 { // half of the slots: the other half is for whoever comes
			t.Errorf("%d delivered; want the 2 in flight", n)
		}
	})
}

func TestCutAttemptsDoNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		s := subscribe(&q, func(s *hark.Subscription) { s.Timeout = time.Minute })
		var observed atomic.Int32
		_, stop := start(t, &q, func(ctx context.Context, _ *hark.Subscription, _ *hark.Delivery) (delivery.Receipt, error) {
			<-ctx.Done()
			return delivery.Receipt{StatusCode: delivery.NoAnswer}, errors.New("cancelled")
		}, delivery.Config{
			DrainTimeout: 5 * time.Second,
			Observe: func(ctx context.Context, _ *hark.Subscription, _ *hark.Delivery) (context.Context, func(*hark.Attempt)) {
				return ctx, func(a *hark.Attempt) {
					if a == nil {
						observed.Add(1)
					}
				}
			},
		})
		q.Add(s.ID, deliverytest.Event(), 3, 0)
		time.Sleep(2 * time.Second)
		began := time.Now()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the drain took %v; want 5s", took)
		}
		for _, r := range q.Rows(s.ID) {
			if r.Status != hark.Pending || r.Delivery.Attempt != 1 || len(r.Attempts) != 0 {
				t.Errorf("%s, attempt %d, %d recorded; want PENDING, 1, 0", r.Status, r.Delivery.Attempt, len(r.Attempts))
			}
		}
		if observed.Load() != 3 {
			t.Errorf("%d of 3 observed ends", observed.Load())
		}
	})
}

func TestLeasesOfADeadWorkerRunOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		s := subscribe(&q, nil)
		q.Add(s.ID, deliverytest.Event(), 5, delivery.Lease(s.Timeout)) // by one that is no more
		_, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			return ok, nil
		}, delivery.Config{})
		time.Sleep(29 * time.Second)
		if got := q.Rows(s.ID)[0].Status; got != hark.InProgress {
			t.Fatalf("%s under another's lease", got)
		}
		time.Sleep(3 * time.Second)
		for _, r := range q.Rows(s.ID) {
			if r.Status != hark.Succeeded {
				t.Errorf("a delivery is %s after the lease", r.Status)
			}
		}
		_ = stop()
	})
}

func TestQueueInTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		q := deliverytest.Queue{Trouble: func(string) error {
			if down.Load() {
				return errors.New("database is away")
			}
			return nil
		}}
		s := subscribe(&q, nil)
		var attempts atomic.Int32
		_, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			attempts.Add(1)
			down.Store(true) // before any outcome is stored
			return ok, nil
		}, delivery.Config{})
		q.Add(s.ID, deliverytest.Event(), 8, 0)
		time.Sleep(10 * time.Second)
		down.Store(false)
		time.Sleep(10 * time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		for _, r := range q.Rows(s.ID) {
			if r.Status != hark.Succeeded {
				t.Errorf("a delivery is %s after the trouble", r.Status)
			}
		}
		if attempts.Load() != 8 {
			t.Errorf("%d attempts for 8 deliveries", attempts.Load())
		}
	})
}

func TestOutcomeLostToTroubleIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		q := deliverytest.Queue{Trouble: func(method string) error {
			if method == "Record" && down.Load() {
				return errors.New("database is away")
			}
			return nil
		}}
		s := subscribe(&q, nil)
		var attempts atomic.Int32
		down.Store(true)
		_, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			attempts.Add(1)
			return ok, nil
		}, delivery.Config{})
		q.Add(s.ID, deliverytest.Event(), 1, 0)
		time.Sleep(32 * time.Second)
		down.Store(false)
		time.Sleep(time.Minute)
		_ = stop()
		if got := q.Rows(s.ID)[0].Status; got != hark.Succeeded || attempts.Load() != 2 {
			t.Errorf("%s after %d attempts; want SUCCEEDED after 2", got, attempts.Load())
		}
	})
}

func TestRunOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, stop := start(t, &deliverytest.Queue{}, nil, delivery.Config{})
		synctest.Wait()
		if err := w.Run(t.Context()); err == nil {
			t.Error("a second Run did not fail")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
