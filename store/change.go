package store

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventlog"
	"github.com/hark-events/hark/ent/revision"
)

// The kinds of configuration that all projects share.
const (
	Definitions = "definitions"
	Access      = "access"
)

// RaiseVersion marks that tx changes the subscriptions of a project, so that
// the next publish, on whichever node, matches against the change. It takes the
// project's counter row: call it first, before tx takes anything else.
func RaiseVersion(ctx context.Context, tx *ent.Tx, project hark.ID) error {
	n, err := tx.EventLog.Update().Where(eventlog.ID(project)).AddVersion(1).Save(ctx)
	if err != nil {
		return fmt.Errorf("raise the project's version: %w", err)
	}
	if n == 0 {
		return hark.Errorf(hark.NotFound, "no such project")
	}
	return nil
}

// RaiseRevision marks that tx changes one kind of shared configuration.
func RaiseRevision(ctx context.Context, tx *ent.Tx, kind string) error {
	if err := tx.Revision.Update().Where(revision.ID(kind)).AddValue(1).Exec(ctx); err != nil {
		return fmt.Errorf("raise the revision of %s: %w", kind, err)
	}
	return nil
}

// Revision reads the revision of one kind of shared configuration.
func (s *Store) Revision(ctx context.Context, kind string) (value int64, err error) {
	err = s.reader.QueryRowContext(ctx, s.rebind("SELECT value FROM revisions WHERE id = ?"), kind).Scan(&value)
	if err != nil {
		return 0, fmt.Errorf("read the revision of %s: %w", kind, err)
	}
	return value, nil
}

// LockDefinitions takes the rows of event definitions until the end of tx, so
// that none can be deleted meanwhile, and counts those that there are. Many may
// have them at once; who deletes one waits for all.
func (s *Store) LockDefinitions(ctx context.Context, tx *ent.Tx, ids []hark.ID) (n int, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	query := "SELECT id FROM event_definitions WHERE deleted_at = 0 AND id IN (" + list(len(ids)) + ") ORDER BY id"
	if s.dialect == dialect.Postgres { // SQLite has the one writer
		query += " FOR SHARE"
	}
	rows, err := tx.QueryContext(ctx, s.rebind(query), anys(ids)...)
	if err != nil {
		return 0, fmt.Errorf("lock the event definitions: %w", err)
	}
	found, err := scanIDs(rows)
	if err != nil {
		return 0, fmt.Errorf("lock the event definitions: %w", err)
	}
	return len(found), nil
}
