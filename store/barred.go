package store

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/hark-events/hark"
)

// Barred is the next_attempt_at of a delivery that is held because its
// subscription's owner may not have the event: no claim ever gets so far, no
// pause or resume touches it, and those of a subscription are found by the
// index of the queue.
const Barred hark.Time = math.MaxInt64 - 1

// isBarred is the condition of the index, word for word, and Barred in digits: with
// parameters a database does not see that the index will do.
const isBarred = "d.status IN ('PENDING', 'HELD') AND d.next_attempt_at = 9223372036854775806"

// A BarredDelivery is one that waits for its owner's right. Its event comes
// without the payload, which no right depends on.
type BarredDelivery struct {
	ID    hark.ID
	Event hark.Event
}

// BarredSubscriptions lists the subscriptions that have barred deliveries.
func (s *Store) BarredSubscriptions(ctx context.Context) ([]hark.ID, error) {
	ids, err := s.ids(ctx, waiting+"SELECT w.id FROM waiting w WHERE w.id IS NOT NULL AND EXISTS (SELECT 1 FROM deliveries d WHERE d.subscription_id = w.id AND "+isBarred+")", hark.ID{})
	if err != nil {
		return nil, fmt.Errorf("look for barred deliveries: %w", err)
	}
	return ids, nil
}

// BarredDeliveries lists barred deliveries of a subscription behind a sequence,
// in the order of their sequences, at most limit.
func (s *Store) BarredDeliveries(ctx context.Context, subscription hark.ID, after int64, limit int) (list []BarredDelivery, err error) {
	rows, err := s.reader.QueryContext(ctx, s.rebind(`SELECT d.id, e.id, e.project_id, d.sequence, e.source_service, e.resource_type, e.operation_type, e.environment, e.path
		FROM deliveries d JOIN events e ON e.id = d.event_id
		WHERE d.subscription_id = ? AND d.sequence > ? AND `+isBarred+" ORDER BY d.sequence LIMIT ?"), subscription, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read barred deliveries: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b BarredDelivery
		e := &b.Event
		if err := rows.Scan(&b.ID, &e.ID, &e.ProjectID, &e.Sequence, &e.SourceService, &e.ResourceType, &e.OperationType, &e.Environment, &e.Path); err != nil {
			return nil, fmt.Errorf("read barred deliveries: %w", err)
		}
		list = append(list, b)
	}
	return list, rows.Err()
}

// Unbar lets barred deliveries of a subscription take their places in its line.
func (s *Store) Unbar(ctx context.Context, subscription hark.ID, ids []hark.ID) error {
	where, args := s.in("d.id", ids)
	_, err := s.exec(ctx, `UPDATE deliveries AS d SET next_attempt_at = created_at, updated_at = ?,
		status = CASE WHEN (SELECT s.active FROM event_subscriptions s WHERE s.id = ?) THEN 'PENDING' ELSE 'HELD' END
		WHERE `+isBarred+" AND "+where, append([]any{int64(hark.Now()), subscription}, args...)...)
	if err != nil {
		return fmt.Errorf("let go barred deliveries: %w", err)
	}
	return nil
}
