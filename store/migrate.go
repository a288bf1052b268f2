package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/hark-events/hark"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// DefaultProject is the id of the project named "default", which exists from the first migration on.
const DefaultProject = "01980000-0000-7000-8000-000000000001"

// DefaultProjectID is DefaultProject as an ID.
func DefaultProjectID() hark.ID { return hark.MustParseID(DefaultProject) }

// Migrate brings the schema to this version's. It may run on several nodes at
// once: one works, the others wait. Migrations only ever go forward.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// ErrNotMigrated is returned by Migrated for a schema of another version.
var ErrNotMigrated = errors.New("the database's schema is not this version's: run hark migrate")

// Migrated returns nil when the schema is this version's, else ErrNotMigrated.
func (s *Store) Migrated(ctx context.Context) error {
	dir := map[string]string{"sqlite3": "sqlite", "postgres": "postgres"}[s.dialect]
	files, err := fs.Glob(migrations, "migrations/"+dir+"/*.sql")
	if err != nil {
		return err
	}
	want, err := goose.NumericComponent(files[len(files)-1])
	if err != nil {
		return err
	}
	const table = "SELECT count(*) FROM sqlite_master WHERE name = 'goose_db_version'"
	const relation = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('goose_db_version')"
	var tables int
	if err := s.reader.QueryRowContext(ctx, map[string]string{"sqlite": table, "postgres": relation}[dir]).Scan(&tables); err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	if tables == 0 {
		return ErrNotMigrated
	}
	var have sql.NullInt64
	if err := s.reader.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&have); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have.Int64 != want {
		return ErrNotMigrated
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB, dir string) error {
	files, err := fs.Sub(migrations, "migrations/"+dir)
	if err != nil {
		return err
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption(nil)
	if dir == "postgres" {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}
