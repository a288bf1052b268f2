package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/hark-events/hark"
)

// trimBatch is how many rows one transaction of retention deletes: on SQLite a
// publish waits for it, a few milliseconds.
const trimBatch = 500

// Trim takes one batch of what retention no longer keeps: held and finished
// deliveries that rest since before cutoff, and events published before it. It
// reports whether there may be more. An event row stays while a delivery
// refers to it, though streams see it no more.
func (s *Store) Trim(ctx context.Context, cutoff hark.Time) (more bool, err error) {
	for _, step := range []func(context.Context, hark.Time) (int64, error){s.discardHeld, s.trimDeliveries, s.trimLogs, s.trimEvents} {
		n, err := step(ctx, cutoff)
		if err != nil {
			return false, fmt.Errorf("retention: %w", err)
		}
		more = more || n >= trimBatch
	}
	return more, nil
}

// firstID is the smallest UUIDv7 made at t: rows with smaller ids are older.
func firstID(t hark.Time) (id hark.ID) {
	milli := uint64(t.Time().UnixMilli())
	for i := range 6 {
		id[i] = byte(milli >> (8 * (5 - i)))
	}
	return id
}

func (s *Store) discardHeld(ctx context.Context, cutoff hark.Time) (int64, error) {
	return s.exec(ctx, `UPDATE deliveries SET status = 'DISCARDED', discard_reason = 'retention', updated_at = ?
		WHERE id IN (SELECT id FROM deliveries WHERE id < ? AND status = 'HELD' ORDER BY id LIMIT ?)`,
		hark.Now(), firstID(cutoff), trimBatch)
}

func (s *Store) trimDeliveries(ctx context.Context, cutoff hark.Time) (int64, error) {
	rows, err := s.reader.QueryContext(ctx, s.rebind(`SELECT id FROM deliveries
		WHERE id < ? AND status IN ('SUCCEEDED', 'FAILED', 'DISCARDED') AND updated_at < ? ORDER BY id LIMIT ?`),
		firstID(cutoff), cutoff, trimBatch)
	if err != nil {
		return 0, err
	}
	var ids []any
	for rows.Next() {
		var id hark.ID
		if err := rows.Scan(&id); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil || len(ids) == 0 {
		return 0, err
	}
	// Attempts first: cut between the two, the next pass finds the delivery again.
	if _, err := s.exec(ctx, "DELETE FROM delivery_attempts WHERE delivery_id IN ("+list(len(ids))+")", ids...); err != nil {
		return 0, err
	}
	// A delivery that was retried meanwhile stays.
	return s.exec(ctx, "DELETE FROM deliveries WHERE id IN ("+list(len(ids))+") AND status IN ('SUCCEEDED', 'FAILED', 'DISCARDED')", ids...)
}

// trimLogs moves the start of each log behind the events that are too old, a
// batch of them in each; if it moved any, there may be more.
func (s *Store) trimLogs(ctx context.Context, cutoff hark.Time) (int64, error) {
	n, err := s.exec(ctx, `UPDATE event_logs SET trimmed_sequence = (
			SELECT max(old.sequence) FROM (
				SELECT e.sequence, e.published_at FROM events e WHERE e.project_id = event_logs.id AND e.sequence > event_logs.trimmed_sequence
				ORDER BY e.sequence LIMIT ?) old
			WHERE old.published_at < ?)
		WHERE EXISTS (
			SELECT 1 FROM events e WHERE e.project_id = event_logs.id AND e.sequence = event_logs.trimmed_sequence + 1 AND e.published_at < ?)`,
		trimBatch, cutoff, cutoff)
	return n * trimBatch, err
}

// trimEvents deletes events before the start of their log, and samples, that no delivery refers to.
func (s *Store) trimEvents(ctx context.Context, cutoff hark.Time) (int64, error) {
	return s.exec(ctx, `DELETE FROM events WHERE id IN (
		SELECT e.id FROM events e JOIN event_logs l ON l.id = e.project_id
		WHERE e.id < ? AND e.sequence <= l.trimmed_sequence AND e.published_at < ?
			AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id)
		ORDER BY e.id LIMIT ?)`, firstID(cutoff), cutoff, trimBatch)
}

// exec runs a statement on the writer.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := s.client.ExecContext(ctx, s.rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
