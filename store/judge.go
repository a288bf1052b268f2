package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"entgo.io/ent/dialect"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventsubscription"
)

// judge brings the circuits of subscriptions up to date with outcomes. A batch
// in which all went well, of subscriptions that are all healthy, costs one look.
// A crash before it forgets what the batch says of subscriptions, and nothing else.
func (s *Store) judge(ctx context.Context, attempts []*hark.Attempt, now hark.Time) error {
	outcomes := map[hark.ID][]*hark.Attempt{}
	var failed []hark.ID
	for _, a := range attempts {
		id := a.Delivery.SubscriptionID
		if a.Status != hark.Succeeded && !slices.ContainsFunc(outcomes[id], func(b *hark.Attempt) bool { return b.Status != hark.Succeeded }) {
			failed = append(failed, id)
		}
		outcomes[id] = append(outcomes[id], a)
	}
	where, args := s.in("id", slices.Collect(maps.Keys(outcomes)))
	ids, err := s.ids(ctx, "SELECT id FROM event_subscriptions WHERE (failing_since <> 0 OR window_start <> 0 OR opened_at <> 0) AND "+where, args...)
	if err != nil {
		return err
	}
	if ids = append(ids, failed...); len(ids) == 0 {
		return nil
	}
	slices.SortFunc(ids, compareIDs) // the order in which every node takes them
	ids = slices.Compact(ids)
	var hopeless []hark.ID
	err = s.Tx(ctx, func(tx *ent.Tx) error {
		hopeless = nil
		for _, id := range ids {
			c, err := s.judgeOne(ctx, tx, id, outcomes[id], now)
			if err != nil {
				return err
			}
			if c.failingSince != 0 && now.Sub(c.failingSince) >= giveUpAfter {
				hopeless = append(hopeless, id)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range hopeless {
		last := outcomes[id][len(outcomes[id])-1]
		if err := s.disable(ctx, id, "no success for five days; the last failure: "+last.Error, ofHark(last)); err != nil {
			return err
		}
	}
	return nil
}

const circuitColumns = "failing_since, failures, window_start, window_attempts, window_failures, opened_at, probes, probe_at"

// judgeOne gives the circuit of a subscription after the outcomes of attempts at it.
func (s *Store) judgeOne(ctx context.Context, tx *ent.Tx, id hark.ID, outcomes []*hark.Attempt, now hark.Time) (circuit, error) {
	query := "SELECT " + circuitColumns + ", project_id, subscriber_service FROM event_subscriptions WHERE id = ?"
	if s.dialect == dialect.Postgres {
		query += " FOR UPDATE"
	}
	rows, err := tx.QueryContext(ctx, s.rebind(query), id)
	if err != nil {
		return circuit{}, err
	}
	var c circuit
	about := subscriptionAlarm{ID: id}
	found := rows.Next()
	if found {
		err = rows.Scan(&c.failingSince, &c.failures, &c.windowStart, &c.windowAttempts, &c.windowFailures, &c.openedAt, &c.probes, &c.probeAt, &about.project, &about.SubscriberService)
	}
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil || !found { // not found: it is deleted
		return circuit{}, err
	}
	before := c
	for _, a := range outcomes {
		var told []string
		c, told = c.next(a, now)
		if ofHark(a) {
			continue
		}
		for _, operation := range told {
			about.Reason = a.Error
			if err := about.raise(ctx, tx, operation, now); err != nil {
				return circuit{}, err
			}
		}
	}
	if c == before {
		return c, nil
	}
	_, err = tx.ExecContext(ctx, s.rebind(`UPDATE event_subscriptions SET failing_since = ?, failures = ?, window_start = ?, window_attempts = ?, window_failures = ?,
		opened_at = ?, probes = ?, probe_at = ? WHERE id = ?`),
		c.failingSince, c.failures, c.windowStart, c.windowAttempts, c.windowFailures, c.openedAt, c.probes, c.probeAt, id)
	return c, err
}

// disable ends a subscription that is given up; quiet if it is one to hark's own
// events. What waits is held: enabling it again is resuming it.
func (s *Store) disable(ctx context.Context, id hark.ID, reason string, quiet bool) error {
	about := subscriptionAlarm{ID: id, Reason: reason}
	err := s.reader.QueryRowContext(ctx, s.rebind("SELECT project_id, subscriber_service FROM event_subscriptions WHERE id = ?"), id).
		Scan(&about.project, &about.SubscriberService)
	if errors.Is(err, sql.ErrNoRows) { // it is deleted
		return nil
	}
	if err != nil {
		return err
	}
	return s.Tx(ctx, func(tx *ent.Tx) error {
		if err := RaiseVersion(ctx, tx, about.project); err != nil {
			return err
		}
		now := hark.Now()
		n, err := tx.EventSubscription.Update().Where(eventsubscription.ID(id), eventsubscription.DisabledAt(0)).
			SetActive(false).SetDisabledAt(now).SetDisabledReason(reason).AddVersion(1).Save(ctx)
		if err != nil || n == 0 { // no row: disabled already
			return err
		}
		if !quiet {
			if err := about.raise(ctx, tx, "disabled", now); err != nil {
				return fmt.Errorf("raise the alarm: %w", err)
			}
		}
		return Hold(ctx, tx, id)
	})
}

// ResetCircuit closes the circuit of a subscription that is resumed in tx, and
// forgets that it failed.
func ResetCircuit(ctx context.Context, tx *ent.Tx, subscription hark.ID) error {
	return tx.EventSubscription.UpdateOneID(subscription).SetDisabledAt(0).SetDisabledReason("").SetFailingSince(0).SetFailures(0).
		SetWindowStart(0).SetWindowAttempts(0).SetWindowFailures(0).SetOpenedAt(0).SetProbes(0).SetProbeAt(0).Exec(ctx)
}
