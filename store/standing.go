package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent/eventlog"
	"github.com/hark-events/hark/ent/eventsubscription"
)

// standingPage is how many rows are asked for at once: databases bound the
// arguments of a statement.
const standingPage = 500

// Versions gives the versions of projects: each change of one of its
// subscriptions raises a project's. A project that does not exist has none.
func (s *Store) Versions(ctx context.Context, projects []hark.ID) (map[hark.ID]int64, error) {
	found := make(map[hark.ID]int64, len(projects))
	for page := range slices.Chunk(projects, standingPage) {
		rows, err := s.client.EventLog.Query().Where(eventlog.IDIn(page...)).Select(eventlog.FieldID, eventlog.FieldVersion).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("versions of projects: %w", err)
		}
		for _, row := range rows {
			found[row.ID] = row.Version
		}
	}
	return found, nil
}

// Standing gives the versions of those subscriptions of ids that are active.
func (s *Store) Standing(ctx context.Context, ids []hark.ID) (map[hark.ID]int64, error) {
	found := make(map[hark.ID]int64, len(ids))
	for page := range slices.Chunk(ids, standingPage) {
		rows, err := s.client.EventSubscription.Query().Where(eventsubscription.IDIn(page...), eventsubscription.Active(true)).
			Select(eventsubscription.FieldID, eventsubscription.FieldVersion).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("standing subscriptions: %w", err)
		}
		for _, row := range rows {
			found[row.ID] = row.Version
		}
	}
	return found, nil
}
