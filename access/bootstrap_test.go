package access_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestAdminIsMadeOnce(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		var mu sync.Mutex
		var printed []hark.Secret
		var nodes sync.WaitGroup
		for range 4 {
			nodes.Go(func() {
				token, err := newAccess(st).EnsureAdmin(t.Context(), "")
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if token != "" {
					printed = append(printed, token)
				}
			})
		}
		nodes.Wait()
		if len(printed) != 1 {
			t.Fatalf("%d tokens", len(printed))
		}
		a := newAccess(st)
		v, err := hark.ViewerFrom(as(t, a, printed[0]))
		if err != nil || len(a.Rules(v, hark.ID{}).Actions()) != len(hark.Actions()) || v.Name != "admin" {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestConfiguredAdminToken(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		a := newAccess(st)
		for _, bad := range []string{strings.Repeat("a", 31), strings.Repeat("a", 32) + " b"} {
			if _, err := a.EnsureAdmin(t.Context(), hark.Secret(bad)); err == nil || !strings.Contains(err.Error(), "HARK_ADMIN_TOKEN") {
				t.Error(err)
			}
		}
		first, second := hark.Secret(strings.Repeat("1", 32)), hark.Secret(strings.Repeat("2", 32))
		ensure := func(token hark.Secret) {
			t.Helper()
			if printed, err := a.EnsureAdmin(t.Context(), token); err != nil || printed != "" {
				t.Fatalf("printed: %v, %v", printed != "", err)
			}
		}
		ensure(first)
		ensure(first)
		as(t, a, first)
		ensure(second)
		as(t, a, second)
		_, err := a.Authenticate(t.Context(), first.Reveal())
		want(t, "the former one", err, hark.Unauthenticated, access.Revoked)
		ensure(first)
		as(t, a, first)
		_, err = a.Authenticate(t.Context(), second.Reveal())
		want(t, "the former one", err, hark.Unauthenticated, access.Revoked)
		ensure("") // an admin token exists
	})
}

func TestCreateToken(t *testing.T) {
	t.Parallel()
	a := newAccess(testkit.Store(t))
	token, err := a.CreateToken(t.Context(), "ci", "admin", 0)
	if err != nil {
		t.Fatal(err)
	}
	v, err := hark.ViewerFrom(as(t, a, token))
	if err != nil || !a.Rules(v, hark.ID{}).Can(hark.ManageAccess) {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := a.CreateToken(t.Context(), "ci", "nothing", 0); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Error(err)
	}
	if _, err := a.CreateToken(t.Context(), "ci", "", -1); err == nil {
		t.Error("a token that has ended")
	}
}
