package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hark-events/hark"
)

// claimed is a row that claim leased.
type claimed struct {
	id, subscription, event hark.ID
	attempts                int
	test                    bool
}

// maxWants is how many subscriptions one claim serves, so that the transaction stays short.
const maxWants = 100

// Due lists subscriptions that have a delivery due now, at most limit of them
// in the order of their ids, the first one behind after. Leases that ran out
// count as due: their worker is dead or too slow.
//
// It skips through the index from one subscription to the next, so it costs
// what there are subscriptions with work, however much work that is.
func (s *Store) Due(ctx context.Context, after hark.ID, limit int) ([]hark.ID, error) {
	now := hark.Now()
	var expired bool
	if err := s.reader.QueryRowContext(ctx, s.rebind("SELECT EXISTS (SELECT 1 FROM deliveries WHERE status = 'IN_PROGRESS' AND leased_until < ?)"),
		now).Scan(&expired); err != nil {
		return nil, fmt.Errorf("look for expired leases: %w", err)
	}
	if expired {
		if err := s.hot.expire(ctx, now); err != nil {
			return nil, fmt.Errorf("expire leases: %w", err)
		}
	}
	rows, err := s.reader.QueryContext(ctx, s.rebind(`
		WITH RECURSIVE waiting(id) AS (
			SELECT (SELECT subscription_id FROM deliveries WHERE status = 'PENDING' AND subscription_id > ? ORDER BY subscription_id LIMIT 1)
			UNION ALL
			SELECT (SELECT d.subscription_id FROM deliveries d WHERE d.status = 'PENDING' AND d.subscription_id > w.id ORDER BY d.subscription_id LIMIT 1)
			FROM waiting w WHERE w.id IS NOT NULL)
		SELECT w.id FROM waiting w WHERE w.id IS NOT NULL AND EXISTS (
			SELECT 1 FROM deliveries d WHERE d.status = 'PENDING' AND d.subscription_id = w.id AND d.next_attempt_at <= ?)
		LIMIT ?`), after, now, limit)
	if err != nil {
		return nil, fmt.Errorf("look for due deliveries: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err tells
	var due []hark.ID
	for rows.Next() {
		var id hark.ID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("look for due deliveries: %w", err)
		}
		due = append(due, id)
	}
	return due, rows.Err()
}

// Claim leases due deliveries, of each wanted subscription the longest due
// first; of an ordered one, the head of the line alone.
func (s *Store) Claim(ctx context.Context, wants []hark.Want, lease time.Duration) ([]*hark.Delivery, error) {
	var ds []*hark.Delivery
	for some := range slices.Chunk(wants, maxWants) {
		now := hark.Now()
		until := now.Add(lease)
		cs, err := s.hot.claim(ctx, some, now, until)
		if err != nil {
			return ds, fmt.Errorf("claim: %w", err)
		}
		more, err := s.load(ctx, cs, until)
		if err != nil { // the leases run out by themselves
			return ds, fmt.Errorf("claim: %w", err)
		}
		ds = append(ds, more...)
	}
	return ds, nil
}

// load makes deliveries of claimed rows.
func (s *Store) load(ctx context.Context, cs []claimed, until hark.Time) ([]*hark.Delivery, error) {
	if len(cs) == 0 {
		return nil, nil
	}
	ids := make([]hark.ID, len(cs))
	subs := make([]hark.ID, len(cs))
	for i, c := range cs {
		ids[i], subs[i] = c.event, c.subscription
	}
	list, err := s.Events(ctx, ids)
	if err != nil {
		return nil, err
	}
	events := make(map[hark.ID]*hark.Event, len(list))
	for _, e := range list {
		events[e.ID] = e
	}
	versions, err := s.versions(ctx, subs)
	if err != nil {
		return nil, err
	}
	ds := make([]*hark.Delivery, 0, len(cs))
	for _, c := range cs {
		e := events[c.event]
		if e == nil {
			return nil, fmt.Errorf("delivery %s has no event %s", c.id, c.event)
		}
		ds = append(ds, &hark.Delivery{
			ID: c.id, SubscriptionID: c.subscription, SubscriptionVersion: versions[c.subscription],
			Event: e, Attempt: c.attempts + 1, Test: c.test, LeasedUntil: until,
		})
	}
	return ds, nil
}

func (s *Store) versions(ctx context.Context, ids []hark.ID) (_ map[hark.ID]int64, err error) {
	slices.SortFunc(ids, func(a, b hark.ID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	rows, err := s.reader.QueryContext(ctx, s.rebind("SELECT id, version FROM event_subscriptions WHERE id IN ("+list(len(ids))+")"), anys(ids)...)
	if err != nil {
		return nil, fmt.Errorf("read subscriptions' versions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	versions := make(map[hark.ID]int64, len(ids))
	for rows.Next() {
		var id hark.ID
		var v int64
		if err := rows.Scan(&id, &v); err != nil {
			return nil, fmt.Errorf("read subscriptions' versions: %w", err)
		}
		versions[id] = v
	}
	return versions, rows.Err()
}

// Record stores the outcomes of attempts in one transaction. An attempt whose
// lease was lost is dropped: another worker's counts.
func (s *Store) Record(ctx context.Context, attempts []*hark.Attempt) error {
	for _, a := range attempts {
		if a.Disable {
			if err := s.disable(ctx, a); err != nil {
				return fmt.Errorf("disable the subscription: %w", err)
			}
		}
	}
	if err := s.hot.record(ctx, attempts, hark.Now()); err != nil {
		return fmt.Errorf("record attempts: %w", err)
	}
	return nil
}

// Release gives leases back, uncounted: the attempts were cut short.
func (s *Store) Release(ctx context.Context, ds []*hark.Delivery) error {
	if err := s.hot.release(ctx, ds, hark.Now()); err != nil {
		return fmt.Errorf("release leases: %w", err)
	}
	return nil
}

// lastOutcomes tells for each subscription whether its last attempt failed.
func lastOutcomes(attempts []*hark.Attempt) map[hark.ID]bool {
	failed := map[hark.ID]bool{}
	for _, a := range attempts {
		failed[a.Delivery.SubscriptionID] = a.Status != hark.Succeeded
	}
	return failed
}
