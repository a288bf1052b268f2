package store

import (
	"context"
	"fmt"

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
// that none can be deleted meanwhile, and counts those that there are.
func (s *Store) LockDefinitions(ctx context.Context, tx *ent.Tx, ids []hark.ID) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	res, err := tx.ExecContext(ctx, s.rebind("UPDATE event_definitions SET deleted_at = 0 WHERE deleted_at = 0 AND id IN ("+list(len(ids))+")"), anys(ids)...)
	if err != nil {
		return 0, fmt.Errorf("lock the event definitions: %w", err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}
