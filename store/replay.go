package store

import (
	"context"
	"fmt"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// CountReplay counts the deliveries that a replay is about, up to limit.
func (s *Store) CountReplay(ctx context.Context, r *ent.Replay, limit int) (n int, err error) {
	args := append([]any{r.SubscriptionID, r.Behind, r.Since, r.Until}, anys(r.Statuses)...)
	err = s.reader.QueryRowContext(ctx, s.rebind(`SELECT count(*) FROM (SELECT 1 FROM deliveries
		WHERE subscription_id = ? AND id > ? AND created_at >= ? AND created_at < ? AND NOT test AND status IN (`+list(len(r.Statuses))+`) LIMIT ?) AS d`),
		append(args, limit)...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the deliveries to replay: %w", err)
	}
	return n, nil
}

// Places lists the events with the given ids, in no order and without what is
// large: for who asks whether somebody may have them.
func (s *Store) Places(ctx context.Context, ids []hark.ID) (events []*hark.Event, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where, args := s.in("id", ids)
	rows, err := s.reader.QueryContext(ctx, s.rebind(
		"SELECT id, project_id, source_service, resource_type, operation_type, environment, path FROM events WHERE "+where), args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close() // Err tells
	for rows.Next() {
		e := new(hark.Event)
		if err := rows.Scan(&e.ID, &e.ProjectID, &e.SourceService, &e.ResourceType, &e.OperationType, &e.Environment, &e.Path); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		events = append(events, e)
	}
	return events, rows.Err()
}
