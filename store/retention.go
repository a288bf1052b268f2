package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"

	"entgo.io/ent/dialect"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

const (
	// trimRows and trimBytes are how much one transaction of retention takes: on
	// SQLite a publish waits for it, a few milliseconds.
	trimRows  = 500
	trimBytes = 4 << 20
	// trimBatches is how many such transactions of each kind one Trim makes at most.
	trimBatches = 20

	// postgresTrims keeps nodes from trimming side by side: two that delete the
	// last two deliveries of an event would each leave the event to the other.
	// What retention took and a crash brings back is taken again, so its commit
	// need not wait for the disk, with publishers waiting behind it.
	postgresTrims   = "SELECT pg_try_advisory_xact_lock(1751216747)"
	postgresNoFlush = "SET LOCAL synchronous_commit = off"
)

// Trim takes what retention no longer keeps: finished deliveries that rest since
// before cutoff, what waits since before cutoff for a subscription that is
// paused or for its owner's right, and events published before cutoff. It takes up to 10,000 of each, in
// small transactions between which publishers take their turns, and reports
// whether there may be more. An event row stays while a delivery refers to it,
// though streams see it no more.
//
// Nothing is looked at twice: an event goes with the start of its log moving
// behind it or, if a delivery still refers to it then, with its last delivery.
func (s *Store) Trim(ctx context.Context, cutoff hark.Time) (more bool, err error) {
	for _, step := range []func(context.Context, hark.Time) (bool, error){s.trimWaiting, s.trimBarred, s.trimFinished, s.trimLogs} {
		left := true
		for n := 0; left && n < trimBatches; n++ {
			if left, err = step(ctx, cutoff); err != nil {
				return false, fmt.Errorf("retention: %w", err)
			}
		}
		more = more || left
	}
	return more, nil
}

// stoppedQuery finds a subscription that is gone, or paused with something waiting for too long.
const stoppedQuery = waiting + `SELECT w.id, (SELECT s.active FROM event_subscriptions s WHERE s.id = w.id) IS NULL
	FROM waiting w WHERE w.id IS NOT NULL AND EXISTS (
		SELECT 1 FROM deliveries d WHERE d.status IN ('PENDING', 'HELD') AND d.subscription_id = w.id
		AND d.next_attempt_at < CASE (SELECT s.active FROM event_subscriptions s WHERE s.id = w.id)
			WHEN true THEN 0 WHEN false THEN CAST(? AS bigint) ELSE 9223372036854775807 END
		AND (d.created_at < ? OR NOT EXISTS (SELECT 1 FROM event_subscriptions s WHERE s.id = w.id)))
	LIMIT 1`

// trimWaiting discards one batch of what waits for subscriptions that are gone,
// or paused for too long.
func (s *Store) trimWaiting(ctx context.Context, cutoff hark.Time) (more bool, err error) {
	rows, err := s.reader.QueryContext(ctx, s.rebind(stoppedQuery), hark.ID{}, int64(cutoff), int64(cutoff))
	if err != nil {
		return false, err
	}
	var id hark.ID
	var gone bool
	found := rows.Next()
	if found {
		err = rows.Scan(&id, &gone)
	}
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil || !found {
		return false, err
	}
	reason, before := "retention", cutoff
	if gone {
		reason, before = "the subscription is deleted", math.MaxInt64
	}
	query, args := s.discard(id, reason, trimRows, "d.next_attempt_at < ? AND d.created_at < ?", before, before)
	n, err := s.exec(ctx, query, args...)
	return n > 0, err
}

// trimBarred discards one batch of what waits for too long for an owner's right.
func (s *Store) trimBarred(ctx context.Context, cutoff hark.Time) (more bool, err error) {
	ids, err := s.ids(ctx, waiting+`SELECT w.id FROM waiting w WHERE w.id IS NOT NULL AND (
		SELECT d.created_at FROM deliveries d WHERE d.subscription_id = w.id AND `+isBarred+` ORDER BY d.sequence LIMIT 1) < ? LIMIT 1`, hark.ID{}, int64(cutoff))
	if err != nil || len(ids) == 0 {
		return false, err
	}
	query, args := s.discard(ids[0], "retention", trimRows, isBarred+" AND d.created_at < ?", cutoff)
	n, err := s.exec(ctx, query, args...)
	return n > 0, err
}

const finished = "SELECT id FROM deliveries WHERE status IN ('SUCCEEDED', 'FAILED', 'DISCARDED') AND updated_at < ? ORDER BY updated_at LIMIT "

// trimFinished deletes one batch of finished deliveries, with their attempts and
// what else was kept for them alone.
func (s *Store) trimFinished(ctx context.Context, cutoff hark.Time) (more bool, err error) {
	ids, err := s.ids(ctx, finished+"1", int64(cutoff)) // most often there is none, and the writer is left alone
	if err != nil || len(ids) == 0 {
		return false, err
	}
	err = s.trim(ctx, func(tx *ent.Tx) error {
		rows, err := tx.QueryContext(ctx, s.rebind("DELETE FROM deliveries WHERE id IN ("+finished+strconv.Itoa(trimRows)+s.skipLocked()+") RETURNING id, event_id"), int64(cutoff))
		if err != nil {
			return err
		}
		ids, events, err := scanPairs(rows)
		if err != nil || len(ids) == 0 {
			return err
		}
		more = len(ids) == trimRows
		where, args := s.in("delivery_id", ids)
		if _, err := tx.ExecContext(ctx, s.rebind("DELETE FROM delivery_attempts WHERE "+where), args...); err != nil {
			return err
		}
		where, args = s.in("id", events)
		_, err = tx.ExecContext(ctx, s.rebind("DELETE FROM events WHERE "+where+` AND sequence <= (SELECT l.trimmed_sequence FROM event_logs l WHERE l.id = events.project_id)
			AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = events.id)`), args...)
		return err
	})
	return more, err
}

// trimLogs moves the start of one log behind a batch of events that are too
// old, and deletes those of them that no delivery refers to.
func (s *Store) trimLogs(ctx context.Context, cutoff hark.Time) (more bool, err error) {
	logs, err := s.ids(ctx, `SELECT l.id FROM event_logs l WHERE (
		SELECT e.published_at FROM events e WHERE e.project_id = l.id AND e.sequence > l.trimmed_sequence ORDER BY e.sequence LIMIT 1) < ? LIMIT 1`, int64(cutoff))
	if err != nil || len(logs) == 0 {
		return false, err
	}
	err = s.trim(ctx, func(tx *ent.Tx) error {
		start, end, err := s.oldest(ctx, tx, logs[0], cutoff)
		if err != nil || start == end {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.rebind(`DELETE FROM events WHERE project_id = ? AND sequence > ? AND sequence <= ?
			AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = events.id)`), logs[0], start, end); err != nil {
			return err
		}
		more = true
		// The counter row comes last: from here to the commit publishers wait for it.
		_, err = tx.ExecContext(ctx, s.rebind("UPDATE event_logs SET trimmed_sequence = ? WHERE id = ?"), end, logs[0])
		return err
	})
	return more, err
}

// oldest gives the start of a log, and the last event of a batch behind it that is too old.
func (s *Store) oldest(ctx context.Context, tx *ent.Tx, project hark.ID, cutoff hark.Time) (start, end int64, err error) {
	rows, err := tx.QueryContext(ctx, s.rebind(`SELECT l.trimmed_sequence, e.sequence, e.published_at, length(e.payload)
		FROM event_logs l JOIN events e ON e.project_id = l.id AND e.sequence > l.trimmed_sequence
		WHERE l.id = ? ORDER BY e.sequence LIMIT ?`), project, trimRows)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	size := 0
	for rows.Next() && size < trimBytes {
		var sequence int64
		var published hark.Time
		var n int
		if err := rows.Scan(&start, &sequence, &published, &n); err != nil {
			return 0, 0, err
		}
		if end == 0 {
			end = start
		}
		if published >= cutoff {
			break
		}
		end = sequence
		size += n
	}
	return start, end, rows.Err()
}

// trim runs f in a transaction, unless another node trims just now.
func (s *Store) trim(ctx context.Context, f func(*ent.Tx) error) error {
	return s.Tx(ctx, func(tx *ent.Tx) error {
		if s.dialect != dialect.Postgres {
			return f(tx)
		}
		if _, err := tx.ExecContext(ctx, postgresNoFlush); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, postgresTrims)
		if err != nil {
			return err
		}
		var mine bool
		for rows.Next() {
			err = rows.Scan(&mine)
		}
		if err := errors.Join(err, rows.Err(), rows.Close()); err != nil || !mine {
			return err
		}
		return f(tx)
	})
}

// scanPairs reads and closes rows of two ids each.
func scanPairs(rows *sql.Rows) (as, bs []hark.ID, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a, b hark.ID
		if err := rows.Scan(&a, &b); err != nil {
			return nil, nil, err
		}
		as, bs = append(as, a), append(bs, b)
	}
	return as, bs, rows.Err()
}

// exec runs a statement on the writer.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := s.writer.ExecContext(ctx, s.rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
