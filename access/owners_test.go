package access_test

import (
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestOwnersFollowTheirRoles(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		a, admin := start(t, st)
		b := newAccess(st) // another node
		owner, roleID, _ := member(t, a, admin, role("subscriber-here", nil, hark.SubscribeEvents))
		nobody, project := hark.NewID(), store.DefaultProjectID()
		e := &hark.Event{ProjectID: project, Kind: hark.Kind{SourceService: "app", ResourceType: "user", OperationType: "created"}}
		may := func() bool {
			t.Helper()
			rules, err := b.Owners(t.Context(), project, []hark.ID{owner, nobody})
			if err != nil {
				t.Fatal(err)
			}
			if rules[nobody].Allows(hark.SubscribeEvents, e) {
				t.Error("an identity that does not exist may subscribe")
			}
			return rules[owner].Allows(hark.SubscribeEvents, e)
		}
		here := must[int64](t)(a.Standing(t.Context()))
		if !may() {
			t.Error("the role does not count")
		}
		if _, err := a.RevokeRole(admin, owner, roleID, nil); err != nil {
			t.Fatal(err)
		}
		if may() {
			t.Error("the role counts still")
		}
		if now := must[int64](t)(a.Standing(t.Context())); now == here {
			t.Error("the node that took the role away does not say that something changed")
		}
	})
}
