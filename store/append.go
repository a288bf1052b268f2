package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hark-events/hark"
)

// An Append is one publish request's share of a transaction: all of its events
// are stored, or none.
type Append struct {
	// Events of one or several projects. Append gives each its id, sequence and
	// time of publishing; one whose idempotency key is known is replaced by the
	// event that is stored already.
	Events []*hark.Event
	// Duplicate tells why the i-th event can't be answered with the stored one
	// of its key; nil: nothing is in the way.
	Duplicate func(i int, stored *hark.Event) error
	// The alarm that Events tells, which leaves its table with the transaction;
	// zero: none. One that has left it already fails with ErrTold.
	Alarm hark.ID

	// What Append answers.
	Duplicates int              // how many were there already
	New        []*hark.Event    // those that were not, in the order of Events
	Leased     []*hark.Delivery // deliveries of New that were born leased to this node
	Due        bool             // some delivery of New waits for a claim
	Err        error            // why this request failed, alone
}

// A Match is a subscription that an event goes to.
type Match struct {
	SubscriptionID hark.ID
	Version        int64
	Status         hark.DeliveryStatus // Pending, Held or Discarded
	Lease          time.Duration       // over 0: born leased to this node for so long
	Barred         bool                // Held: the subscription's owner may not have the event
}

// A Matcher knows which events may be stored and who gets them. Append calls
// it inside its transaction, while no other node can change what it knows of
// the projects concerned.
type Matcher interface {
	// Refresh brings the matcher to a version of a project's subscriptions and
	// a revision of the event definitions, if it is not there.
	Refresh(ctx context.Context, project hark.ID, version, definitions int64) error
	// Check tells why a request can't be stored after all.
	Check(*Append) error
	// Match lists who gets an event.
	Match(*hark.Event) []Match
}

// ErrTold is what becomes of a request whose alarm another one has published.
var ErrTold = hark.Errorf(hark.Conflict, "the alarm is published already")

// appendTx is an open transaction that publishes.
type appendTx interface {
	// takeAlarms deletes alarms, and tells which were there.
	takeAlarms(ctx context.Context, ids []hark.ID) (taken []hark.ID, err error)
	// findKeys lists the events of a project with one of the keys, published since then, oldest first.
	findKeys(ctx context.Context, project hark.ID, keys []string, since hark.Time) ([]*hark.Event, error)
	// commit stores events, their deliveries and the new ends of logs, and ends the transaction.
	commit(ctx context.Context, events []*hark.Event, deliveries []newDelivery, ends map[hark.ID]int64) error
	// rollback ends the transaction, if it has not ended.
	rollback(context.Context)
}

// locked is what a transaction that publishes found once it had the counter rows.
type locked struct {
	logs        map[hark.ID]*logRow
	definitions int64 // their revision
}

type logRow struct{ last, version int64 }

type newDelivery struct {
	id, project, subscription, event hark.ID
	sequence                         int64
	status                           hark.DeliveryStatus
	reason                           string    // why it is discarded
	next                             hark.Time // its place in the line, also while it is held or leased
	leased, created                  hark.Time
}

// Append stores requests and their deliveries in one transaction. A request
// that can't be stored fails alone, by its Err. Keys of events published before
// since count no more.
//
// An error of Append means that nothing was stored, or, when the connection was
// lost during the commit, that nobody knows: the publisher's idempotency keys
// make it safe to try again, with new requests.
func (s *Store) Append(ctx context.Context, requests []*Append, m Matcher, since hark.Time) error {
	tx, found, err := s.hot.begin(ctx, projectsOf(requests))
	if err != nil {
		return fmt.Errorf("append: lock the logs: %w", err)
	}
	defer tx.rollback(ctx)
	if err := appendAll(ctx, tx, found, requests, m, since); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return nil
}

func appendAll(ctx context.Context, tx appendTx, found *locked, requests []*Append, m Matcher, since hark.Time) error {
	logs := found.logs
	for id, l := range logs {
		if err := m.Refresh(ctx, id, l.version, found.definitions); err != nil {
			return fmt.Errorf("refresh the matcher: %w", err)
		}
	}
	known, err := knownKeys(ctx, tx, requests, since)
	if err != nil {
		return fmt.Errorf("look up idempotency keys: %w", err)
	}
	told, err := takeAlarms(ctx, tx, requests)
	if err != nil {
		return fmt.Errorf("take alarms: %w", err)
	}

	var events []*hark.Event
	var deliveries []newDelivery
	ends := map[hark.ID]int64{}
	now := hark.Now()
	for _, r := range requests {
		if r.Err = admit(r, logs, known, m); r.Err != nil {
			continue
		}
		if !r.Alarm.IsZero() && !slices.Contains(told, r.Alarm) {
			r.Err = ErrTold
			continue
		}
		for i, e := range r.Events {
			if first, ok := known[keyOf(e)]; ok && e.IdempotencyKey != "" {
				r.Events[i] = first
				r.Duplicates++
				continue
			}
			l := logs[e.ProjectID]
			l.last++
			ends[e.ProjectID] = l.last
			e.ID, e.Sequence, e.PublishedAt = hark.NewID(), l.last, now
			if e.OccurredAt.IsZero() {
				e.OccurredAt = now
			}
			if e.IdempotencyKey != "" {
				known[keyOf(e)] = e
			}
			events = append(events, e)
			r.New = append(r.New, e)
			for _, match := range m.Match(e) {
				deliveries = append(deliveries, r.deliver(e, match, now))
			}
		}
	}
	if len(events) == 0 {
		return nil
	}
	if err := tx.commit(ctx, events, deliveries, ends); err != nil {
		return fmt.Errorf("store and commit: %w", err)
	}
	return nil
}

// admit tells why a request can't be stored.
func admit(r *Append, logs map[hark.ID]*logRow, known map[eventKey]*hark.Event, m Matcher) error {
	for i, e := range r.Events {
		if logs[e.ProjectID] == nil {
			return hark.Errorf(hark.NotFound, "no such project")
		}
		if first, ok := known[keyOf(e)]; ok && e.IdempotencyKey != "" && r.Duplicate != nil {
			if err := r.Duplicate(i, first); err != nil {
				return err
			}
		}
	}
	return m.Check(r)
}

// deliver makes the delivery of e to one match.
func (r *Append) deliver(e *hark.Event, m Match, now hark.Time) newDelivery {
	d := newDelivery{
		id: hark.NewID(), project: e.ProjectID, subscription: m.SubscriptionID, event: e.ID,
		sequence: e.Sequence, status: m.Status, next: now, created: now,
	}
	switch {
	case m.Lease > 0:
		d.status, d.leased = hark.InProgress, now.Add(m.Lease)
		r.Leased = append(r.Leased, &hark.Delivery{
			ID: d.id, SubscriptionID: m.SubscriptionID, SubscriptionVersion: m.Version,
			Event: e, Attempt: 1, LeasedUntil: d.leased,
		})
	case m.Status == hark.Pending:
		r.Due = true
	case m.Barred:
		d.next = Barred
	case m.Status == hark.Discarded:
		d.next, d.reason = 0, "paused"
	}
	return d
}

// projectsOf lists the projects of requests in ascending order, the order in
// which every node locks them.
func projectsOf(requests []*Append) []hark.ID {
	var ids []hark.ID
	for _, r := range requests {
		for _, e := range r.Events {
			if len(ids) == 0 || ids[len(ids)-1] != e.ProjectID {
				ids = append(ids, e.ProjectID)
			}
		}
	}
	slices.SortFunc(ids, compareIDs)
	return slices.Compact(ids)
}

func compareIDs(a, b hark.ID) int { return cmp.Compare(string(a[:]), string(b[:])) }

type eventKey struct {
	project hark.ID
	key     string
}

func keyOf(e *hark.Event) eventKey { return eventKey{e.ProjectID, e.IdempotencyKey} }

// knownKeys looks up the idempotency keys of all requests.
func knownKeys(ctx context.Context, tx appendTx, requests []*Append, since hark.Time) (map[eventKey]*hark.Event, error) {
	keys := map[hark.ID][]string{}
	for _, r := range requests {
		for _, e := range r.Events {
			if e.IdempotencyKey != "" {
				keys[e.ProjectID] = append(keys[e.ProjectID], e.IdempotencyKey)
			}
		}
	}
	known := map[eventKey]*hark.Event{}
	for project, ks := range keys {
		found, err := tx.findKeys(ctx, project, ks, since)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			known[keyOf(e)] = e
		}
	}
	return known, nil
}

// takeAlarms takes the alarms that requests publish, and tells which were there.
func takeAlarms(ctx context.Context, tx appendTx, requests []*Append) (taken []hark.ID, err error) {
	var ids []hark.ID
	for _, r := range requests {
		if !r.Alarm.IsZero() {
			ids = append(ids, r.Alarm)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return tx.takeAlarms(ctx, ids)
}
