package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestMigrateFromTwoNodesAtOnce(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.node(t, seal.NewKeyset()), db.node(t, seal.NewKeyset())}
		if err := nodes[0].Migrated(t.Context()); !errors.Is(err, store.ErrNotMigrated) {
			t.Errorf("an empty database: %v", err)
		}
		var all sync.WaitGroup
		for _, st := range nodes {
			all.Go(func() {
				for range 2 {
					if err := st.Migrate(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if err := nodes[1].Migrated(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAnotherSchemaIsNoticed(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		st, _ := db.nodes(t)
		for _, change := range []string{
			"INSERT INTO goose_db_version (version_id, is_applied) VALUES (20991231000000, true)", // newer
			"DELETE FROM goose_db_version WHERE version_id > 20261122000001",                      // older
		} {
			if _, err := db.sql.ExecContext(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			if err := st.Migrated(t.Context()); !errors.Is(err, store.ErrNotMigrated) {
				t.Errorf("after %s: %v", change, err)
			}
		}
	})
}

// TestMigrationsMakeTheSchema fails when ent/schema asks for what no migration
// does: then run store/migrations/diff.go.
func TestMigrationsMakeTheSchema(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		st, _ := db.nodes(t)
		var changes bytes.Buffer
		if err := st.Ent().Schema.WriteTo(t.Context(), &changes); err != nil {
			t.Fatal(err)
		}
		indexes := strings.HasPrefix(db.url, "postgres") // it rewrites their conditions: see below
		for line := range strings.Lines(changes.String()) {
			switch line = strings.TrimSpace(line); {
			case line == "", line == "BEGIN;", line == "COMMIT;":
			case indexes && (strings.HasPrefix(line, "CREATE INDEX") || strings.HasPrefix(line, "DROP INDEX")):
			default:
				t.Errorf("no migration does: %s", line)
			}
		}
	})
}

func TestMigrationsMakeTheIndexes(t *testing.T) {
	t.Parallel()
	list := func(t *testing.T, url string, make func(*store.Store) error) (defs []string) {
		db, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := make(database{url: url}.node(t, seal.NewKeyset())); err != nil {
			t.Fatal(err)
		}
		rows, err := db.QueryContext(t.Context(), "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'goose_db_version' ORDER BY indexdef")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var def string
			if err := rows.Scan(&def); err != nil {
				t.Fatal(err)
			}
			defs = append(defs, def)
		}
		return defs
	}
	migrated := list(t, testkit.Postgres(t), func(st *store.Store) error { return st.Migrate(t.Context()) })
	wanted := list(t, testkit.Postgres(t), func(st *store.Store) error { return st.Ent().Schema.Create(t.Context()) })
	if !slices.Equal(migrated, wanted) {
		t.Errorf("migrations make\n%s\nent/schema asks for\n%s", strings.Join(migrated, "\n"), strings.Join(wanted, "\n"))
	}
}

func TestErrorsKeepThePassword(t *testing.T) {
	t.Parallel()
	const password = "hunter2hunter2"
	for name, url := range map[string]string{
		"nobody listens": "postgres://u:" + password + "@127.0.0.1:1/db",
		"a bad option":   "postgres://u:" + password + "@127.0.0.1/db?sslmode=perhaps",
		"a bad port":     "postgres://u:" + password + "@127.0.0.1:port/db",
		"a bad escape":   "postgres://u:" + password + "%zz@127.0.0.1/db",
		"another scheme": "mysql://u:" + password + "@127.0.0.1/db",
	} {
		_, err := store.Open(t.Context(), url, seal.New(seal.NewKeyset()))
		if err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConnectionLossIsSurvived(t *testing.T) {
	t.Parallel()
	pg := testkit.PostgresServer(t, true)
	url := strings.Replace(pg.URL(), "hark@", "hark:hunter2hunter2@", 1)
	st := testkit.OpenStore(t, url)
	appendTo(t, st, matcher{}, newEvents(3)...)
	pg.Kill()
	for what, err := range map[string]error{
		"append":   st.Append(t.Context(), []*store.Append{{Events: newEvents(1)}}, matcher{}, 0),
		"ping":     st.Ping(t.Context()),
		"migrated": st.Migrated(t.Context()),
	} {
		if err == nil || strings.Contains(err.Error(), "hunter2") || errors.Is(err, store.ErrNotMigrated) {
			t.Errorf("%s without a database: %v", what, err)
		}
	}
	pg.Start()
	if r := appendTo(t, st, matcher{}, newEvent()); r.New[0].Sequence != 4 {
		t.Errorf("the next sequence is %d", r.New[0].Sequence)
	}
}
