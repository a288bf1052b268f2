package promises

import (
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// rows counts what a node's SQLite database holds, by table. The time at which
// a token was last used is no row.
func rows(t *testing.T, n *testkit.Node) map[string]int {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(n.Dir(), "hark.db")+"?_pragma=query_only(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables, err := db.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	counts := make(map[string]int)
	for tables.Next() {
		var name string
		if err := tables.Scan(&name); err != nil {
			t.Fatal(err)
		}
		counts[name] = 0
	}
	if err := tables.Err(); err != nil {
		t.Fatal(err)
	}
	for name := range counts {
		var n int
		query := fmt.Sprintf("SELECT count(*) FROM %q", name)
		if name == "audit_entries" {
			query += " WHERE action NOT IN ('refuse', 'login')" // refusals are written ten seconds later
		}
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts[name] = n
	}
	return counts
}

// unchanged fails when the database has other rows than before.
func unchanged(t *testing.T, n *testkit.Node, before map[string]int) {
	t.Helper()
	if after := rows(t, n); !maps.Equal(before, after) {
		t.Errorf("something was stored: rows were %v, are %v", before, after)
	}
}
