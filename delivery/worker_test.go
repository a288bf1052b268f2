package delivery_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

// A driverFunc is a driver without a network.
type driverFunc func(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (delivery.Receipt, error)

func (driverFunc) Check(*hark.Subscription) error { return nil }

func (f driverFunc) Deliver(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (delivery.Receipt, error) {
	return f(ctx, s, d)
}

var ok = delivery.Receipt{StatusCode: 200}

// start runs a worker until the returned stop, which returns what Run did.
func start(t *testing.T, q delivery.Queue, f driverFunc, c delivery.Config) (w *delivery.Worker, stop func() error) {
	t.Helper()
	w = delivery.NewWorker(q, delivery.Drivers{hark.HTTP: f}, slog.New(slog.DiscardHandler), c)
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- w.Run(ctx) }()
	return w, func() error { cancel(); return <-end }
}

func subscribe(q *deliverytest.Queue, change func(*hark.Subscription)) *hark.Subscription {
	s := deliverytest.Subscription(hark.HTTP, "http://subscriber.test/hook?key=hunter22")
	if change != nil {
		change(s)
	}
	q.Subscribe(s)
	return s
}

func TestTenAttemptsThenDeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		s := subscribe(&q, nil)
		_, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
			return delivery.Receipt{StatusCode: 503}, errors.New("answered 503")
		}, delivery.Config{})
		began := time.Now()
		q.Add(s.ID, deliverytest.Event(), 1, 0)
		time.Sleep(92 * time.Hour) // virtual
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		row := q.Rows(s.ID)[0]
		if len(row.Attempts) != 10 || row.Status != hark.Failed {
			t.Fatalf("%d attempts, %s; want 10, FAILED", len(row.Attempts), row.Status)
		}
		const total = 75*time.Hour + 35*time.Minute + 5*time.Second
		last := row.Attempts[9].StartedAt.Time().Sub(began)
		if last < total || last > total*12/10+10*time.Second {
			t.Errorf("last attempt after %v; want %v and up to 20 %% more", last, total)
		}
		for i, wait := range delivery.Schedule {
			got := row.Attempts[i+1].StartedAt.Sub(row.Attempts[i].StartedAt)
			if got < wait || got > wait*12/10+time.Second {
				t.Errorf("attempt %d came %v after attempt %d; want %v and up to 20 %% more", i+2, got, i+1, wait)
			}
		}
	})
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err     error
		panics  bool
		test    bool
		change  func(*hark.Subscription)
		status  hark.DeliveryStatus
		disable bool
		words   string
	}{
		"acknowledged":          {status: hark.Succeeded},
		"failed":                {err: errors.New("connection refused"), status: hark.Pending, words: "connection refused"},
		"permanent":             {err: delivery.Permanent(errors.New("no")), status: hark.Failed, words: "no"},
		"gone":                  {err: delivery.Gone(errors.New("answered 410")), status: hark.Failed, disable: true, words: "answered 410"},
		"panic":                 {panics: true, status: hark.Pending, words: "hark's driver failed; its log says more"},
		"no retry in schedule":  {err: errors.New("no"), status: hark.Failed, words: "no", change: func(s *hark.Subscription) { s.Schedule = []time.Duration{} }},
		"no such driver":        {status: hark.Failed, words: `no driver for protocol "SOAP": there is HTTP`, change: func(s *hark.Subscription) { s.Protocol = hark.SOAP }},
		"credentials in error":  {err: errors.New("bad token-of-the-test"), status: hark.Pending, words: "bad [redacted]"},
		"secret query in error": {err: errors.New("POST /?key=hunter22"), status: hark.Pending, words: "POST /?[redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var q deliverytest.Queue
				s := subscribe(&q, tt.change)
				_, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
					if tt.panics {
						panic("at the disco")
					}
					return ok, tt.err
				}, delivery.Config{})
				q.Add(s.ID, deliverytest.Event(), 1, 0)
				time.Sleep(2 * time.Second)
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				a := q.Rows(s.ID)[0].Attempts[0]
				if a.Status != tt.status || a.Disable != tt.disable || a.Error != tt.words {
					t.Errorf("%s, disable %v, %q; want %s, %v, %q", a.Status, a.Disable, a.Error, tt.status, tt.disable, tt.words)
				}
			})
		})
	}
}

func TestRetryAfterMovesLaterOnly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ after, atLeast, atMost time.Duration }{
		"later":   {time.Hour, time.Hour, time.Hour},
		"earlier": {time.Second, 5 * time.Second, 6 * time.Second},
		"a year":  {365 * 24 * time.Hour, 24 * time.Hour, 24 * time.Hour},
	} {
		a := &hark.Attempt{Delivery: &hark.Delivery{Attempt: 1}, StartedAt: hark.Now()}
		delivery.Decide(a, nil, delivery.Receipt{RetryAfter: tt.after}, errors.New("answered 503"))
		if got := a.NextAt.Sub(a.StartedAt); got < tt.atLeast || got > tt.atMost {
			t.Errorf("%s: next after %v; want %v to %v", name, got, tt.atLeast, tt.atMost)
		}
	}
}

func TestDeadEndpointCostsOnlyItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		dead := subscribe(&q, func(s *hark.Subscription) { s.Endpoint = "http://dead.test"; s.MaxInFlight = 1000 })
		good := subscribe(&q, nil)
		q.Add(dead.ID, deliverytest.Event(), 1000, 0)
		w, stop := start(t, &q, func(ctx context.Context, s *hark.Subscription, _ *hark.Delivery) (delivery.Receipt, error) {
			if s.ID == dead.ID {
				<-ctx.Done()
				return delivery.Receipt{StatusCode: delivery.NoAnswer}, ctx.Err()
			}
			return ok, nil
		}, delivery.Config{Concurrency: 8})
		synctest.Wait()
		began := time.Now()
		q.Add(good.ID, deliverytest.Event(), 100, 0)
		w.Wake()
		time.Sleep(25 * time.Millisecond) // eight slots wait a little for their outcomes to be stored together
		for _, r := range q.Rows(good.ID) {
			if r.Status != hark.Succeeded {
				t.Fatalf("a delivery is %s %v after the wake", r.Status, time.Since(began))
			}
		}
		time.Sleep(time.Minute)
		_ = stop()
	})
}

func TestNoSubscriptionStarves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		var subs []*hark.Subscription
		for range 50 {
			s := subscribe(&q, nil)
			subs = append(subs, s)
			q.Add(s.ID, deliverytest.Event(), 20, 0)
		}
		var mu sync.Mutex
		first := map[hark.ID]time.Duration{}
		began := time.Now()
		_, stop := start(t, &q, func(_ context.Context, s *hark.Subscription, _ *hark.Delivery) (delivery.Receipt, error) {
			mu.Lock()
			if _, ok := first[s.ID]; !ok {
				first[s.ID] = time.Since(began)
			}
			mu.Unlock()
			time.Sleep(time.Second)
			return ok, nil
		}, delivery.Config{Concurrency: 4})
		time.Sleep(5 * time.Minute)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		for _, s := range subs {
			if first[s.ID] > 30*time.Second { // 50 turns by 4 slots and a second each, and some
				t.Errorf("a subscription waited %v for its first attempt", first[s.ID])
			}
			for _, r := range q.Rows(s.ID) {
				if r.Status != hark.Succeeded {
					t.Fatalf("a delivery is %s", r.Status)
				}
			}
		}
	})
}

func TestPace(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 5, 200} {
		synctest.Test(t, func(t *testing.T) {
			var q deliverytest.Queue
			s := subscribe(&q, func(s *hark.Subscription) { s.MaxPerSecond = n })
			var mu sync.Mutex
			var starts []time.Time
			_, stop := start(t, &q, func(context.Context, *hark.Subscription, *hark.Delivery) (delivery.Receipt, error) {
				mu.Lock()
				defer mu.Unlock()
				starts = append(starts, time.Now())
				return ok, nil
			}, delivery.Config{})
			time.Sleep(10 * time.Second) // nothing is saved up
			q.Add(s.ID, deliverytest.Event(), 5*n, 0)
			time.Sleep(7 * time.Second)
			_ = stop()
			if len(starts) != 5*n {
				t.Errorf("%d a second: %d attempts in 7 s; want all %d", n, len(starts), 5*n)
			}
			for i, at := range starts {
				in := 0
				for _, other := range starts[i:] {
					if other.Sub(at) <= time.Second {
						in++
					}
				}
				if in > n+1 {
					t.Fatalf("%d attempts within a second; want at most %d", in, n+1)
				}
			}
			if claims := q.Calls("Claim"); n == 200 && claims > 200 {
				t.Errorf("%d claims for %d deliveries", claims, 5*n)
			}
		})
	}
}

func TestOrdered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		s := subscribe(&q, func(s *hark.Subscription) { s.Ordered = true })
		var order []hark.ID
		var flying atomic.Int32
		tries := 0
		_, stop := start(t, &q, func(_ context.Context, _ *hark.Subscription, d *hark.Delivery) (delivery.Receipt, error) {
			if flying.Add(1) > 1 {
				t.Error("two at a time")
			}
			defer flying.Add(-1)
			time.Sleep(10 * time.Millisecond)
			if tries++; tries == 3 { // the third delivery's first attempt
				return ok, errors.New("answered 500")
			}
			order = append(order, d.ID)
			return ok, nil
		}, delivery.Config{})
		q.Add(s.ID, deliverytest.Event(), 10, 0)
		time.Sleep(20 * time.Second)
		_ = stop()
		rows := q.Rows(s.ID)
		if len(order) != len(rows) {
			t.Fatalf("%d of %d delivered", len(order), len(rows))
		}
		for i, r := range rows {
			if order[i] != r.Delivery.ID {
				t.Fatalf("position %d is not the %dth delivery", i, i)
			}
		}
	})
}

func TestChangedSubscriptionIsClaimedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		s := subscribe(&q, nil)
		var endpoints []string
		_, stop := start(t, &q, func(_ context.Context, s *hark.Subscription, _ *hark.Delivery) (delivery.Receipt, error) {
			endpoints = append(endpoints, s.Endpoint)
			return ok, nil
		}, delivery.Config{})
		q.Add(s.ID, deliverytest.Event(), 1, 0)
		time.Sleep(2 * time.Second)
		changed := *s
		changed.Version, changed.Endpoint, changed.Ordered = 2, "http://elsewhere.test", true
		q.Subscribe(&changed)
		q.Add(s.ID, deliverytest.Event(), 2, 0)
		time.Sleep(2 * time.Second)
		_ = stop()
		if got := strings.Join(endpoints[1:], " "); got != "http://elsewhere.test http://elsewhere.test" {
			t.Errorf("went to %q", got)
		}
		for _, r := range q.Rows(s.ID) {
			if len(r.Attempts) != 1 || r.Attempts[0].Delivery.Attempt != 1 {
				t.Errorf("an attempt that was given back counted: %+v", r)
			}
		}
	})
}

func TestMissingSubscriptionIsADeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q deliverytest.Queue
		s := subscribe(&q, nil)
		q.Add(s.ID, deliverytest.Event(), 3, 0)
		q.Unsubscribe(s.ID)
		_, stop := start(t, &q, nil, delivery.Config{})
		time.Sleep(2 * time.Second)
		_ = stop()
		for _, r := range q.Rows(s.ID) {
			if r.Status != hark.Failed || r.Attempts[0].Error != "the subscription does not exist any more" {
				t.Errorf("%s: %+v", r.Status, r.Attempts)
			}
		}
	})
}
