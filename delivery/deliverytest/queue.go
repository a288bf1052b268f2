// Package deliverytest tests drivers and what works with a delivery.Queue.
package deliverytest

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

var _ delivery.Queue = (*Queue)(nil)

// A Queue is a delivery.Queue in memory, with the leases of a real one. Its
// zero value is empty.
type Queue struct {
	// Trouble, if set, is asked before each call, by the name of its method;
	// what it returns is the call's error. OnRecord is told each stored outcome.
	// Both are set before use and called without the lock.
	Trouble  func(method string) error
	OnRecord func(*hark.Attempt)

	mu    sync.Mutex
	subs  map[hark.ID]*hark.Subscription
	rows  map[hark.ID]*Row
	lines map[hark.ID][]*Row // open ones of a subscription, oldest first
	ids   []hark.ID          // of subscriptions, sorted
	calls map[string]int

	stopped []hark.ID
}

// A Row is a delivery as a Queue holds it.
type Row struct {
	Delivery hark.Delivery
	Status   hark.DeliveryStatus
	DueAt    hark.Time
	Attempts []*hark.Attempt

	place int
}

func (r *Row) due(now hark.Time) bool {
	return r.Status == hark.Pending && r.DueAt <= now || r.Status == hark.InProgress && r.Delivery.LeasedUntil <= now
}

// Subscribe stores s, or a change of it.
func (q *Queue) Subscribe(s *hark.Subscription) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.subs == nil {
		q.subs, q.rows, q.lines = map[hark.ID]*hark.Subscription{}, map[hark.ID]*Row{}, map[hark.ID][]*Row{}
	}
	if _, ok := q.subs[s.ID]; !ok {
		q.ids = append(q.ids, s.ID)
		slices.SortFunc(q.ids, compare)
	}
	q.subs[s.ID] = s
}

// Unsubscribe forgets a subscription but not its deliveries.
func (q *Queue) Unsubscribe(id hark.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.subs[id] = nil
}

// Add makes n deliveries of event to subscription; lease, if not 0, leases them
// as a publisher does that hands them over.
func (q *Queue) Add(subscription hark.ID, event *hark.Event, n int, lease time.Duration) []*hark.Delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ds []*hark.Delivery
	for range n {
		row := &Row{place: len(q.rows), Status: hark.Pending, DueAt: hark.Now(), Delivery: hark.Delivery{
			ID: hark.NewID(), SubscriptionID: subscription, Event: event, Attempt: 1,
		}}
		q.rows[row.Delivery.ID] = row
		q.lines[subscription] = append(q.lines[subscription], row)
		if lease > 0 {
			ds = append(ds, q.lease(row, lease))
		}
	}
	return ds
}

func (q *Queue) lease(r *Row, lease time.Duration) *hark.Delivery {
	r.Status = hark.InProgress
	r.Delivery.LeasedUntil = hark.TimeOf(time.Now().Add(lease))
	if s := q.subs[r.Delivery.SubscriptionID]; s != nil {
		r.Delivery.SubscriptionVersion = s.Version
	}
	d := r.Delivery
	return &d
}

// Rows returns copies of the deliveries of a subscription, oldest first.
func (q *Queue) Rows(subscription hark.ID) (rows []Row) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.rows {
		if r.Delivery.SubscriptionID == subscription {
			rows = append(rows, *r)
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return a.place - b.place })
	return rows
}

// Calls tells how often a method was called.
func (q *Queue) Calls(method string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls[method]
}

// enter locks the queue, unless there is trouble.
func (q *Queue) enter(ctx context.Context, method string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if q.Trouble != nil {
		if err := q.Trouble(method); err != nil {
			return err
		}
	}
	q.mu.Lock()
	if q.calls == nil {
		q.calls = map[string]int{}
	}
	q.calls[method]++
	return nil
}

// Due implements delivery.Queue.
func (q *Queue) Due(ctx context.Context, after hark.ID, limit int) (ids []hark.ID, err error) {
	if err := q.enter(ctx, "Due"); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()
	now := hark.Now()
	for _, id := range q.ids {
		if compare(id, after) <= 0 || len(ids) >= limit || slices.Contains(q.stopped, id) {
			continue
		}
		s := q.subs[id]
		for _, r := range q.lines[id] {
			if r.due(now) {
				ids = append(ids, id)
			}
			if r.due(now) || s != nil && s.Ordered {
				break
			}
		}
	}
	return ids, nil
}

// Claim implements delivery.Queue.
func (q *Queue) Claim(ctx context.Context, wants []hark.Want, lease time.Duration) (ds []*hark.Delivery, err error) {
	if err := q.enter(ctx, "Claim"); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()
	now := hark.Now()
	for _, w := range wants {
		n := w.N
		if slices.Contains(q.stopped, w.Subscription) {
			n = 0
		}
		for _, r := range q.lines[w.Subscription] {
			if n > 0 && r.due(now) {
				ds = append(ds, q.lease(r, lease))
				n--
			}
			if n == 0 || w.Ordered {
				break
			}
		}
	}
	return ds, nil
}

// Stop makes a subscription one that does not flow, as another node's pause or
// open circuit does: nothing of it is due.
func (q *Queue) Stop(id hark.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = append(q.stopped, id)
}

// Flowing implements delivery.Queue.
func (q *Queue) Flowing(ctx context.Context, ids []hark.ID) (flowing []hark.ID, err error) {
	if err := q.enter(ctx, "Flowing"); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ids), func(id hark.ID) bool { return slices.Contains(q.stopped, id) }), nil
}

// Record implements delivery.Queue.
func (q *Queue) Record(ctx context.Context, attempts []*hark.Attempt) error {
	if err := q.enter(ctx, "Record"); err != nil {
		return err
	}
	var stored []*hark.Attempt
	for _, a := range attempts {
		r := q.rows[a.Delivery.ID]
		if r == nil || r.Status != hark.InProgress || r.Delivery.LeasedUntil != a.Delivery.LeasedUntil {
			continue
		}
		r.Attempts = append(r.Attempts, a)
		r.Status, r.DueAt = a.Status, a.NextAt
		r.Delivery.Attempt++
		if a.Status != hark.Pending {
			line := q.lines[r.Delivery.SubscriptionID]
			i := slices.Index(line, r)
			if i == 0 {
				line = line[1:] // the common case, without a copy
			} else {
				line = slices.Delete(line, i, i+1)
			}
			q.lines[r.Delivery.SubscriptionID] = line
		}
		stored = append(stored, a)
	}
	q.mu.Unlock()
	if q.OnRecord != nil {
		for _, a := range stored {
			q.OnRecord(a)
		}
	}
	return nil
}

// Release implements delivery.Queue.
func (q *Queue) Release(ctx context.Context, ds []*hark.Delivery) error {
	if err := q.enter(ctx, "Release"); err != nil {
		return err
	}
	defer q.mu.Unlock()
	for _, d := range ds {
		if r := q.rows[d.ID]; r != nil && r.Status == hark.InProgress && r.Delivery.LeasedUntil == d.LeasedUntil {
			r.Status = hark.Pending
		}
	}
	return nil
}

// Subscription implements delivery.Queue.
func (q *Queue) Subscription(ctx context.Context, id hark.ID) (*hark.Subscription, error) {
	if err := q.enter(ctx, "Subscription"); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()
	if s := q.subs[id]; s != nil {
		return s, nil
	}
	return nil, hark.Errorf(hark.NotFound, "not found")
}

func compare(a, b hark.ID) int { return bytes.Compare(a[:], b[:]) }
