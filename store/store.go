// Package store is the database: opening, migrations, and the hot statements (publish, claim, record) for SQLite and PostgreSQL.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"entgo.io/ent/dialect"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/seal"
)

// A Store is an open database. Everything that is not hot goes through Ent and
// Tx; the log and the queue have methods of their own, in words of package hark.
// Its methods may be called from many goroutines.
type Store struct {
	dialect string
	client  *ent.Client
	reader  *sql.DB // SQLite: a pool that can't write; PostgreSQL: the pool
	writer  *sql.DB // SQLite: the one connection that writes; PostgreSQL: the pool
	hot     hot
	writing chan struct{} // PostgreSQL: a slot for each Tx; nil: any number
	sealer  *seal.Sealer
	close   func() error
	migrate func(context.Context) error
}

// hot holds the statements that both dialects write in their own way.
type hot interface {
	// begin opens a transaction that publishes into projects, which ascend, and
	// takes their counter rows until its end.
	begin(ctx context.Context, projects []hark.ID) (appendTx, *locked, error)
	expire(ctx context.Context, now hark.Time) error
	claim(ctx context.Context, wants []want, now, until hark.Time) ([]claimed, error)
	record(ctx context.Context, outcomes []*hark.Attempt, now hark.Time) error
	release(ctx context.Context, ds []*hark.Delivery) error
}

// Open connects to the database that url names: sqlite://PATH or postgres://….
// It neither migrates nor checks the schema; see Migrate and Migrated.
func Open(ctx context.Context, url string, sealer *seal.Sealer) (*Store, error) {
	scheme, rest, ok := strings.Cut(url, "://")
	switch {
	case ok && scheme == "sqlite" && rest != "":
		return openSQLite(ctx, rest, sealer)
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return openPostgres(ctx, url, sealer)
	}
	return nil, errors.New("a database URL is sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME")
}

// Close ends all connections.
func (s *Store) Close() error { return errors.Join(s.client.Close(), s.close()) }

// Ent is the client of everything that is not hot. It must not be used inside Tx.
func (s *Store) Ent() *ent.Client { return s.client }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.reader.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// Tx runs f in a transaction and commits it, or rolls it back when f fails.
// On SQLite it is the one writer: f must be short and use tx alone.
func (s *Store) Tx(ctx context.Context, f func(tx *ent.Tx) error) (err error) {
	if s.writing != nil {
		// Many of them wait for the counter row of one publish; that one needs a
		// connection to go on, so they must never have all of them.
		select {
		case s.writing <- struct{}{}:
			defer func() { <-s.writing }()
		case <-ctx.Done():
			return fmt.Errorf("begin: %w", ctx.Err())
		}
	}
	tx, err := s.client.Tx(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	done := false
	defer func() {
		if !done { // f failed or panicked
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if s.dialect == dialect.Postgres {
		if _, err := tx.ExecContext(ctx, postgresGuard); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
	}
	if err := f(tx); err != nil {
		return err
	}
	done = true
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// rebind turns the placeholders ? into those of the dialect. No statement of
// this package has a question mark in a string.
func (s *Store) rebind(query string) string {
	if s.dialect == dialect.SQLite {
		return query
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitAfterSeq(query, "?") {
		before, found := strings.CutSuffix(part, "?")
		b.WriteString(before)
		if found {
			n++
			b.WriteString("$" + strconv.Itoa(n))
		}
	}
	return b.String()
}

// in is the condition that column is one of ids, and its arguments. PostgreSQL
// gets an array, so that it prepares one statement and not one for each length.
func (s *Store) in(column string, ids []hark.ID) (where string, args []any) {
	if s.dialect == dialect.Postgres {
		return column + " = ANY(?::uuid[])", []any{uuids(ids)}
	}
	return column + " IN (" + list(len(ids)) + ")", anys(ids)
}

// skipLocked ends a subquery that picks rows to change: on PostgreSQL those that
// another transaction has are left to it, so that nobody waits and nobody deadlocks.
func (s *Store) skipLocked() string {
	if s.dialect == dialect.Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// list is n placeholders, separated by commas.
func list(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

// anys converts a slice for the arguments of a statement.
func anys[T any](s []T) []any {
	out := make([]any, len(s))
	for i, v := range s {
		out[i] = v
	}
	return out
}
