package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hark-events/hark"
)

// claimed is a row that claim leased.
type claimed struct {
	id, subscription, event hark.ID
	attempts, start         int
	startAt                 hark.Time // with a pace: no attempt before
	test                    bool
	next                    hark.Time
	sequence                int64
	version                 int64 // of the subscription; 0 when it is gone
}

// compare orders by the place in the line: the database returns claimed rows in any order.
func (c claimed) compare(d claimed) int {
	return cmp.Or(cmp.Compare(c.next, d.next), cmp.Compare(c.sequence, d.sequence))
}

// maxWants is how many subscriptions one claim serves, so that the transaction stays short.
const maxWants = 100

// TestDue is the next_attempt_at of a test's delivery: before all else, and due
// even while its subscription is paused.
const TestDue hark.Time = 1

// waiting lists the subscriptions behind a parameter that have a delivery
// waiting, in the order of their ids. It skips through the index from one to
// the next, so it costs what there are subscriptions, however much waits for each.
const waiting = `WITH RECURSIVE waiting(id) AS (
	SELECT (SELECT subscription_id FROM deliveries WHERE status IN ('PENDING', 'HELD') AND subscription_id > ? ORDER BY subscription_id LIMIT 1)
	UNION ALL
	SELECT (SELECT d.subscription_id FROM deliveries d WHERE d.status IN ('PENDING', 'HELD') AND d.subscription_id > w.id ORDER BY d.subscription_id LIMIT 1)
	FROM waiting w WHERE w.id IS NOT NULL)
	`

const dueQuery = waiting + `SELECT w.id FROM waiting w WHERE w.id IS NOT NULL AND EXISTS (
		SELECT 1 FROM deliveries d WHERE d.status IN ('PENDING', 'HELD') AND d.subscription_id = w.id
		AND d.next_attempt_at <= CASE WHEN (SELECT s.active AND s.probe_at <= CAST(? AS bigint) FROM event_subscriptions s WHERE s.id = w.id) THEN CAST(? AS bigint) ELSE 1 END)
	LIMIT ?`

// A want is what Claim looks for of one subscription.
type want struct {
	hark.Want
	probe bool // the one attempt that an open circuit lets through now
}

// Due lists active subscriptions that have a delivery due now, and a circuit that
// is closed or due to be probed, at most limit of
// them in the order of their ids, the first one behind after. Leases that ran
// out count as due: their worker is dead or too slow.
//
// What was held is due as soon as its subscription is active again, whatever
// its status still says: resuming a million rows changes one.
func (s *Store) Due(ctx context.Context, after hark.ID, limit int) ([]hark.ID, error) {
	now := hark.Now()
	var expired bool
	if err := s.reader.QueryRowContext(ctx, s.rebind("SELECT EXISTS (SELECT 1 FROM deliveries WHERE status = 'IN_PROGRESS' AND leased_until < ?)"),
		int64(now)).Scan(&expired); err != nil {
		return nil, fmt.Errorf("look for expired leases: %w", err)
	}
	if expired {
		if err := s.hot.expire(ctx, now); err != nil {
			return nil, fmt.Errorf("expire leases: %w", err)
		}
	}
	due, err := s.ids(ctx, dueQuery, after, int64(now), int64(now), limit)
	if err != nil {
		return nil, fmt.Errorf("look for due deliveries: %w", err)
	}
	return due, nil
}

// ids runs a query for ids on a reader.
func (s *Store) ids(ctx context.Context, query string, args ...any) (ids []hark.ID, err error) {
	rows, err := s.reader.QueryContext(ctx, s.rebind(query), args...)
	if err != nil {
		return nil, err
	}
	return scanIDs(rows)
}

// scanIDs reads and closes rows of one id each.
func scanIDs(rows *sql.Rows) (ids []hark.ID, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id hark.ID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Claim leases due deliveries, of each wanted subscription those that are
// longest due; of an ordered one, the head of the line alone; of one whose
// circuit is open, one when it is due to be probed; of one with a pace, no more
// than may start soon, over all nodes. Of one subscription they come in the
// order of their places in the line.
func (s *Store) Claim(ctx context.Context, wants []hark.Want, lease time.Duration) ([]*hark.Delivery, error) {
	var ds []*hark.Delivery
	for some := range slices.Chunk(wants, maxWants) {
		now := hark.Now()
		until := now.Add(lease)
		cs, err := s.claim(ctx, some, now, until)
		if err != nil { // the leases run out by themselves
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
	for i, c := range cs {
		ids[i] = c.event
	}
	list, err := s.Events(ctx, ids)
	if err != nil {
		return nil, err
	}
	events := make(map[hark.ID]*hark.Event, len(list))
	for _, e := range list {
		events[e.ID] = e
	}
	ds := make([]*hark.Delivery, 0, len(cs))
	for _, c := range cs {
		e := events[c.event]
		if e == nil { // retention keeps the events of deliveries; somebody's hand does not
			if err := s.discardLost(ctx, c.id); err != nil {
				return nil, err
			}
			continue
		}
		ds = append(ds, &hark.Delivery{
			ID: c.id, SubscriptionID: c.subscription, SubscriptionVersion: c.version,
			Event: e, Attempt: c.attempts + 1, ScheduleStart: c.start, Test: c.test, LeasedUntil: until, StartAt: c.startAt,
		})
	}
	return ds, nil
}

// discardLost ends a delivery that has no event: claimed again and again it
// would keep back those that are claimed with it.
func (s *Store) discardLost(ctx context.Context, id hark.ID) error {
	_, err := s.exec(ctx, `UPDATE deliveries SET status = 'DISCARDED', discard_reason = 'its event is gone',
		leased_until = 0, next_attempt_at = 0, updated_at = ? WHERE id = ? AND status = 'IN_PROGRESS'`, int64(hark.Now()), id)
	return err
}

// Flowing tells which of the subscriptions are active, with a closed circuit.
func (s *Store) Flowing(ctx context.Context, ids []hark.ID) ([]hark.ID, error) {
	where, args := s.in("id", ids)
	found, err := s.ids(ctx, "SELECT id FROM event_subscriptions WHERE active AND opened_at = 0 AND "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("look which subscriptions flow: %w", err)
	}
	return found, nil
}

// Record stores the outcomes of attempts in one transaction, and in another what
// they mean for their subscriptions. An attempt whose lease was lost is dropped:
// another worker's counts.
func (s *Store) Record(ctx context.Context, attempts []*hark.Attempt) error {
	disabled := map[hark.ID]bool{}
	for _, a := range attempts {
		if !a.Disable || disabled[a.Delivery.SubscriptionID] {
			continue
		}
		disabled[a.Delivery.SubscriptionID] = true
		if err := s.disable(ctx, a.Delivery.SubscriptionID, a.Error, ofHark(a)); err != nil {
			return fmt.Errorf("disable the subscription: %w", err)
		}
	}
	now := hark.Now()
	if err := s.hot.record(ctx, attempts, now); err != nil {
		return fmt.Errorf("record attempts: %w", err)
	}
	if err := s.judge(ctx, attempts, now); err != nil {
		return fmt.Errorf("judge the subscriptions: %w", err)
	}
	return nil
}

// Release gives leases back, uncounted: the attempts were cut short.
func (s *Store) Release(ctx context.Context, ds []*hark.Delivery) error {
	if err := s.hot.release(ctx, ds); err != nil {
		return fmt.Errorf("release leases: %w", err)
	}
	if err := s.unprobe(ctx, ds); err != nil {
		return fmt.Errorf("release probes: %w", err)
	}
	return nil
}
