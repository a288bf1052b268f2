package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

const (
	eventColumns = "id, project_id, sequence, definition_id, source_service, resource_type, operation_type, environment, path, payload, actor, occurred_at, published_at, idempotency_key, traceparent"
	eventFields  = 15

	// maxRead is how many bytes of payload one Read returns at most, but for a
	// single event that is larger.
	maxRead = 4 << 20
)

// scanEvents reads and closes rows of eventColumns, until they hold limit bytes of payload; 0 is no limit.
func scanEvents(rows *sql.Rows, limit int) (events []*hark.Event, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	size := 0
	for rows.Next() {
		e := new(hark.Event)
		var payload, trace []byte
		if err := rows.Scan(&e.ID, &e.ProjectID, &e.Sequence, &e.DefinitionID, &e.SourceService, &e.ResourceType, &e.OperationType,
			&e.Environment, &e.Path, &payload, &e.Actor, &e.OccurredAt, &e.PublishedAt, &e.IdempotencyKey, &trace); err != nil {
			return nil, err
		}
		e.Payload, e.Traceparent = payload, unpackTrace(trace)
		e.Sequence = max(e.Sequence, 0) // samples have none; see AppendSample
		events = append(events, e)
		if size += len(payload); limit > 0 && size >= limit {
			break
		}
	}
	return events, rows.Err()
}

// Read lists retained events of a project with a sequence over after,
// ascending, at most limit and about 4 MiB of them. Of what is retained, none
// is left out between the first and the last.
func (s *Store) Read(ctx context.Context, project hark.ID, after int64, limit int) ([]*hark.Event, error) {
	rows, err := s.reader.QueryContext(ctx, s.rebind("SELECT "+eventColumns+
		" FROM events WHERE project_id = ? AND sequence > ? AND sequence > (SELECT trimmed_sequence FROM event_logs WHERE id = ?) ORDER BY sequence LIMIT ?"),
		project, max(after, 0), project, limit)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	events, err := scanEvents(rows, maxRead)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return events, nil
}

// Bounds gives the oldest retained sequence of a project (last+1 when there is
// none) and the last one that was committed; NOT_FOUND when there is no such project.
func (s *Store) Bounds(ctx context.Context, project hark.ID) (oldest, last int64, err error) {
	err = s.reader.QueryRowContext(ctx, s.rebind("SELECT trimmed_sequence + 1, last_sequence FROM event_logs WHERE id = ?"), project).Scan(&oldest, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, hark.Errorf(hark.NotFound, "no such project")
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read the bounds of the log: %w", err)
	}
	return oldest, last, nil
}

// Heads gives the last committed sequence of each project; one that does not exist is missing.
func (s *Store) Heads(ctx context.Context, projects []hark.ID) (map[hark.ID]int64, error) {
	heads := make(map[hark.ID]int64, len(projects))
	if len(projects) == 0 {
		return heads, nil
	}
	where, args := s.in("id", projects)
	rows, err := s.reader.QueryContext(ctx, s.rebind("SELECT id, last_sequence FROM event_logs WHERE "+where), args...)
	if err != nil {
		return nil, fmt.Errorf("read the heads: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err tells
	for rows.Next() {
		var id hark.ID
		var last int64
		if err := rows.Scan(&id, &last); err != nil {
			return nil, fmt.Errorf("read the heads: %w", err)
		}
		heads[id] = last
	}
	return heads, rows.Err()
}

// Events lists the events with the given ids, in no order; one that does not exist is missing.
func (s *Store) Events(ctx context.Context, ids []hark.ID) ([]*hark.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where, args := s.in("id", ids)
	rows, err := s.reader.QueryContext(ctx, s.rebind("SELECT "+eventColumns+" FROM events WHERE "+where), args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return scanEvents(rows, 0)
}

// AppendSample stores in tx an event that is no part of the log: the sample of a
// test. Its row has a negative sequence, which nobody reads as the log. It goes
// with its delivery, whose next_attempt_at is TestDue.
func AppendSample(ctx context.Context, tx *ent.Tx, e *hark.Event) error {
	_, err := tx.Event.Create().SetID(e.ID).SetProjectID(e.ProjectID).SetSequence(-1 - rand.Int64N(math.MaxInt64)).SetDefinitionID(e.DefinitionID).
		SetSourceService(e.SourceService).SetResourceType(e.ResourceType).SetOperationType(e.OperationType).
		SetEnvironment(e.Environment).SetPath(e.Path).SetPayload(e.Payload).SetActor(e.Actor).
		SetOccurredAt(e.OccurredAt).SetPublishedAt(e.PublishedAt).SetIdempotencyKey("").Save(ctx)
	if err != nil {
		return fmt.Errorf("store the sample: %w", err)
	}
	return nil
}
