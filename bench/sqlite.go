package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver that hark uses

	"github.com/hark-events/hark"
)

// Tables as plain as they can be: what hark writes for an event and for a
// delivery, without its indexes.
const (
	bareSchema = `CREATE TABLE events (seq INTEGER PRIMARY KEY, id BLOB, project BLOB, definition BLOB, source TEXT, resource TEXT,
		operation TEXT, environment TEXT, path TEXT, payload BLOB, actor TEXT, occurred INTEGER, published INTEGER);
		CREATE TABLE deliveries (id INTEGER PRIMARY KEY, event INTEGER, status TEXT, attempts INTEGER, leased INTEGER);
		CREATE TABLE attempts (id INTEGER PRIMARY KEY, delivery INTEGER, started INTEGER, took INTEGER, status INTEGER, response TEXT)`
	bareEvents   = "INSERT INTO events (id, project, definition, source, resource, operation, environment, path, payload, actor, occurred, published) VALUES "
	bareRow      = "(?,?,?,?,?,?,?,?,?,?,?,?)"
	bareDelivery = "INSERT INTO deliveries (event, status, attempts, leased) VALUES (?, 'IN_PROGRESS', 0, 1)"
	bareDone     = "UPDATE deliveries SET status = 'SUCCEEDED', attempts = 1, leased = 0 WHERE id = ?"
	bareAttempt  = "INSERT INTO attempts (delivery, started, took, status, response) VALUES (?, 1, 1, 200, '')"
)

// bareInserts is how many events a second SQLite takes with so many in a
// transaction, on one connection, WAL and synchronous=FULL. With deliveries,
// each event has one, whose attempt a second transaction records.
func bareInserts(ctx context.Context, b *bench, rows int, deliveries bool) (rate float64, err error) {
	db, remove, err := openBare(ctx, b)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	total, start := 0, time.Now()
	for time.Since(start) < b.length/2 {
		if err := insertBare(ctx, db, total, rows, deliveries); err != nil {
			return 0, err
		}
		total += rows
	}
	return float64(total) / time.Since(start).Seconds(), nil
}

// bareCommits is how long a transaction of one event takes, many times one after
// the other, with a rest between that is longer than it.
func bareCommits(ctx context.Context, b *bench) (took latencies, err error) {
	db, remove, err := openBare(ctx, b)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	for start := time.Now(); time.Since(start) < b.length; time.Sleep(3 * time.Millisecond) {
		began := time.Now()
		if err := insertBare(ctx, db, len(took), 1, false); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// openBare makes a database as hark's are, with plain tables.
func openBare(ctx context.Context, b *bench) (_ *sql.DB, remove func() error, err error) {
	dir, err := os.MkdirTemp(b.dir, "sqlite-")
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)&_txlock=immediate")
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	remove = func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, bareSchema); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return db, remove, nil
}

// insertBare stores n events behind the first total ones.
func insertBare(ctx context.Context, db *sql.DB, total, n int, deliveries bool) error {
	err := in(ctx, db, func(tx *sql.Tx) error {
		payload := []byte(`[{"note":"` + strings.Repeat("x", 230) + `"}]`)
		project := hark.NewID()
		const most = 50 // rows in a statement; more were not faster
		for left := n; left > 0; left -= most {
			var args []any
			for range min(left, most) {
				id := hark.NewID()
				args = append(args, id[:], project[:], project[:], "secret-manager", "secret", "update",
					"production", "/app/backend", payload, "deploy-bot", int64(hark.Now()), int64(hark.Now()))
			}
			values := strings.TrimSuffix(strings.Repeat(bareRow+",", min(left, most)), ",")
			if _, err := tx.ExecContext(ctx, bareEvents+values, args...); err != nil {
				return err
			}
		}
		if deliveries {
			return each(ctx, tx, total, n, bareDelivery)
		}
		return nil
	})
	if err != nil || !deliveries {
		return err
	}
	return in(ctx, db, func(tx *sql.Tx) error { return each(ctx, tx, total, n, bareDone, bareAttempt) })
}

// each runs statements for each of the n rows behind the first total ones.
func each(ctx context.Context, tx *sql.Tx, total, n int, queries ...string) error {
	for _, query := range queries {
		statement, err := tx.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		for i := range n {
			if _, err := statement.ExecContext(ctx, total+i+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func in(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
