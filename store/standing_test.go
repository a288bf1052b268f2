package store_test

import (
	"maps"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

// TestStanding shows that a pause raises the version of its project, and that
// what is paused or does not exist does not stand, among more ids than one
// statement takes.
func TestStanding(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		active, paused := subscribe(t, st), subscribe(t, st)
		project := store.DefaultProjectID()
		version := func() int64 {
			t.Helper()
			found, err := st.Versions(t.Context(), []hark.ID{project, hark.NewID()})
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			return found[project]
		}
		before := version()
		pause(t, st, paused)
		if after := version(); after <= before {
			t.Errorf("version %d after %d", after, before)
		}
		ids := []hark.ID{active}
		for range 1100 {
			ids = append(ids, hark.NewID())
		}
		found, err := st.Standing(t.Context(), append(ids, paused))
		if err != nil || !maps.Equal(found, map[hark.ID]int64{active: 1}) {
			t.Error(found, err)
		}
	})
}
