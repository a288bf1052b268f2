package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	entgo "entgo.io/ent"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/seal"
)

// openSQLite opens the file with one writer and a pool of readers: SQLite has
// one writer anyway, and writers that compete for its lock by waiting and
// trying again are twenty times slower than a queue of them in the process.
//
// synchronous=FULL, so that an answered publish survives the loss of power.
func openSQLite(ctx context.Context, path string, sealer *seal.Sealer) (*Store, error) {
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"cache_size(-65536)", "temp_store(MEMORY)", "journal_size_limit(67108864)",
	}, "_txlock": {"immediate"}}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?"

	writer, err := sql.Open("sqlite", dsn+pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	if err := writer.PingContext(ctx); err != nil { // makes the file, and WAL with it, before a reader looks
		_ = writer.Close() // the ping's error is the one to tell
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// The page cache, in KiB, is each connection's own, and there may be many
	// readers; the system's cache of the file is behind all of them.
	pragmas["_pragma"] = append(pragmas["_pragma"], "query_only(1)", "cache_size(-8192)")
	pragmas.Del("_txlock")
	reader, err := sql.Open("sqlite", dsn+pragmas.Encode())
	if err != nil {
		_ = writer.Close() // the opening's error is the one to tell
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	readers := max(4, 2*runtime.NumCPU())
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)

	driver := &splitDriver{
		Driver: entsql.OpenDB(dialect.SQLite, writer),
		reader: entsql.OpenDB(dialect.SQLite, reader),
	}
	s := &Store{
		dialect: dialect.SQLite, client: ent.NewClient(ent.Driver(driver)), reader: reader, writer: writer, sealer: sealer,
		hot: &sqliteHot{db: writer}, close: func() error { return nil }, // the client closes both
	}
	s.migrate = func(ctx context.Context) error {
		unlock, err := lockFile(path + ".lock")
		if err != nil {
			return err
		}
		defer unlock()
		return migrate(ctx, writer, "sqlite")
	}
	return s, nil
}

// splitDriver sends ent's queries to the readers, and all else to the writer.
type splitDriver struct {
	dialect.Driver
	reader dialect.Driver
}

// Query asks the readers, unless it is a mutation with a RETURNING clause.
func (d *splitDriver) Query(ctx context.Context, query string, args, v any) error {
	if entgo.QueryFromContext(ctx) == nil {
		return d.Driver.Query(ctx, query, args, v)
	}
	return d.reader.Query(ctx, query, args, v)
}

func (d *splitDriver) Close() error {
	if err := d.reader.Close(); err != nil {
		return err
	}
	return d.Driver.Close()
}

// lockFile waits for the lock on a file beside the database, which keeps two
// processes from migrating it at once. The kernel drops it with the process.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close() // the lock's error is the one to tell
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil // closing drops the lock
}
