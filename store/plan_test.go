package store

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/seal"
)

// TestQueueStatementsUseTheirIndexes: what they cost must not depend on how much
// waits, or was ever done. A scan of deliveries or a sort would.
func TestQueueStatementsUseTheirIndexes(t *testing.T) {
	t.Parallel()
	st, err := Open(t.Context(), "sqlite://"+t.TempDir()+"/hark.db", seal.New(seal.NewKeyset()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ query, index string }{
		"claim":    {sqliteClaim, "deliveries_due"},
		"head":     {sqliteClaimHead, "deliveries_line"},
		"due":      {dueQuery, "deliveries_due"},
		"expire":   {sqliteExpire, "deliveries_leased"},
		"stopped":  {stoppedQuery, "deliveries_due"},
		"finished": {finished + "500", "deliveries_finished"},
	} {
		plan := explain(t.Context(), t, st.writer, tt.query)
		if !strings.Contains(plan, tt.index) || strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") || strings.Contains(plan, "SCAN deliveries") || strings.Contains(plan, "SCAN d\n") {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}

// explain gives the plan of a query with all parameters NULL.
func explain(ctx context.Context, t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	params := strings.Count(query, "?")
	for _, numbered := range []string{"?1", "?2", "?3", "?4"} {
		params -= max(0, strings.Count(query, numbered)-1)
	}
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, make([]any, params)...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	return plan.String()
}
