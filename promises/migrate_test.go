package promises

import (
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestNodesMigrateTogether starts three nodes at once on an empty database.
func TestNodesMigrateTogether(t *testing.T) {
	t.Parallel()
	a := testkit.NewNode(t, "--database-url="+testkit.Postgres(t), "--migrate")
	nodes := []*testkit.Node{a, a.Beside(), a.Beside()}
	testkit.StartAll(t, nodes...)
	for i, n := range nodes {
		if e := mustPublish(t, n.Admin(), 1)[0]; e.Sequence != int64(i+1) {
			t.Errorf("node %d stored its event as %d", i+1, e.Sequence)
		}
	}
	type data struct {
		Identities struct{ TotalCount int }
		Roles      []struct{ Name string }
	}
	got := testkit.MustCall[data](t, a.Admin(), `{ identities { totalCount } roles { name } }`, nil)
	seen := make(map[string]bool)
	for _, r := range got.Roles {
		if seen[r.Name] {
			t.Errorf("there are two roles %s", r.Name)
		}
		seen[r.Name] = true
	}
	if got.Identities.TotalCount != 1 {
		t.Errorf("%d identities, want the admin alone", got.Identities.TotalCount)
	}
}
