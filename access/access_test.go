package access_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func newAccess(st *store.Store) *access.Access {
	return access.New(st, slog.New(slog.DiscardHandler), access.Config{})
}

// start gives an access with the context of its admin.
func start(t *testing.T, st *store.Store) (*access.Access, context.Context) {
	t.Helper()
	a := newAccess(st)
	token, err := a.EnsureAdmin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return a, as(t, a, token)
}

// as gives the context of a token's bearer.
func as(t *testing.T, a *access.Access, token hark.Secret) context.Context {
	t.Helper()
	v, err := a.Authenticate(t.Context(), token.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return hark.WithViewer(t.Context(), v)
}

// must fails the test for an error and gives the value.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// want checks the code and the field, or the reason, of an error.
func want(t *testing.T, what string, err error, code hark.Code, detail string) {
	t.Helper()
	e, ok := errors.AsType[*hark.Error](err)
	if !ok || e.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	if reason, _ := e.Details["reason"].(string); e.Field != detail && reason != detail {
		t.Errorf("%s: field %q, reason %q, want %q", what, e.Field, reason, detail)
	}
	if e.Message == "" || strings.Contains(e.Message, "hark_") {
		t.Errorf("%s: message %q", what, e.Message)
	}
}

func role(name string, project *hark.ID, actions ...hark.Action) access.RoleInput {
	return access.RoleInput{Name: name, ProjectID: project, Rules: []*hark.Rule{{Actions: actions}}}
}

// member makes an identity with a role in a project and gives a token of it.
func member(t *testing.T, a *access.Access, ctx context.Context, in access.RoleInput) (owner, roleID hark.ID, token access.Credential) {
	t.Helper()
	owner = must2(t, func() (hark.ID, error) { row, err := a.CreateIdentity(ctx, "member"); return row.ID, err })
	roleID = must2(t, func() (hark.ID, error) { row, err := a.CreateRole(ctx, in); return row.ID, err })
	if _, err := a.GrantRole(ctx, owner, roleID, in.ProjectID); err != nil {
		t.Fatal(err)
	}
	token, err := a.CreateAccessToken(ctx, owner, nil)
	if err != nil {
		t.Fatal(err)
	}
	return owner, roleID, token
}

func must2[T any](t *testing.T, f func() (T, error)) T {
	t.Helper()
	v, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTokensLiveAndEnd(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		a, admin := start(t, st)
		owner := must2(t, func() (hark.ID, error) { row, err := a.CreateIdentity(admin, "ci"); return row.ID, err })

		_, err := a.Authenticate(t.Context(), "hark_nonsense")
		want(t, "nonsense", err, hark.Unauthenticated, access.InvalidToken)

		second := 1
		short := must[access.Credential](t)(a.CreateAccessToken(admin, owner, &second))
		v := must[*hark.Viewer](t)(a.Authenticate(t.Context(), short.Secret.Reveal()))
		if v.IdentityID != owner || v.TokenID != short.ID || v.Name != "ci" {
			t.Errorf("%+v", v)
		}
		changed, stop := watch(a, v)
		defer stop()
		<-changed // by the clock alone
		_, err = a.Reauthorize(t.Context(), v)
		want(t, "expired stream", err, hark.Unauthenticated, access.Expired)
		_, err = a.Authenticate(t.Context(), short.Secret.Reveal())
		want(t, "expired", err, hark.Unauthenticated, access.Expired)

		long := must[access.Credential](t)(a.CreateAccessToken(admin, owner, nil))
		v = must[*hark.Viewer](t)(a.Authenticate(t.Context(), long.Secret.Reveal()))
		changed, stop = watch(a, v)
		defer stop()
		if err := a.RevokeAccessToken(admin, long.ID); err != nil {
			t.Fatal(err)
		}
		<-changed
		_, err = a.Reauthorize(t.Context(), v)
		want(t, "revoked stream", err, hark.Unauthenticated, access.Revoked)
		_, err = a.Authenticate(t.Context(), long.Secret.Reveal())
		want(t, "revoked", err, hark.Unauthenticated, access.Revoked)

		for _, ttl := range []int{0, -1, 315_360_001} {
			_, err = a.CreateAccessToken(admin, owner, &ttl)
			want(t, "ttl", err, hark.BadUserInput, "ttlSeconds")
		}
		_, err = a.CreateAccessToken(admin, hark.NewID(), nil)
		want(t, "nobody", err, hark.NotFound, "")
		want(t, "no token", a.RevokeAccessToken(admin, hark.NewID()), hark.NotFound, "")
	})
}

func TestUniversalAuth(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		a, admin := start(t, st)
		owner := must2(t, func() (hark.ID, error) { row, err := a.CreateIdentity(admin, "ci"); return row.ID, err })
		secret := must[access.Credential](t)(a.CreateClientSecret(admin, owner, access.ClientSecretInput{}))
		token := must[access.Token](t)(a.Login(t.Context(), secret.ID.String(), secret.Secret.Reveal()))
		if token.ExpiresIn != 7200 || token.MaxTTL != 7200 || !strings.HasPrefix(token.AccessToken.Reveal(), "hark_") {
			t.Errorf("%+v", token)
		}
		as(t, a, token.AccessToken)
		renewed := must[access.Token](t)(a.Renew(t.Context(), token.AccessToken.Reveal()))
		as(t, a, renewed.AccessToken)
		if err := a.Revoke(t.Context(), token.AccessToken.Reveal()); err != nil {
			t.Fatal(err)
		}
		_, err := a.Renew(t.Context(), token.AccessToken.Reveal())
		want(t, "renew what was revoked", err, hark.Unauthenticated, access.Revoked)

		var messages []string
		refuse := func(id, secret string) {
			_, err := a.Login(t.Context(), id, secret)
			want(t, "login", err, hark.Unauthenticated, "invalid_credentials")
			messages = append(messages, err.Error())
		}
		refuse("nobody", secret.Secret.Reveal())
		refuse(hark.NewID().String(), secret.Secret.Reveal())
		refuse(owner.String(), "hark_wrong")
		if n := must[int](t)(a.RevokeClientSecrets(admin, owner)); n != 1 {
			t.Errorf("%d revoked", n)
		}
		refuse(owner.String(), secret.Secret.Reveal())
		for _, m := range messages {
			if m != messages[0] {
				t.Errorf("%q and %q can be told apart", m, messages[0])
			}
		}
		as(t, a, renewed.AccessToken) // lives on
		if err := a.DeleteIdentity(admin, owner); err != nil {
			t.Fatal(err)
		}
		_, err = a.Authenticate(t.Context(), renewed.AccessToken.Reveal())
		want(t, "deleted identity", err, hark.Unauthenticated, access.InvalidToken)
	})
}

// A change made on one node holds on the other within a second.
func TestNodesFollowEachOther(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		one, admin := start(t, st)
		two := newAccess(st)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := two.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		defer running.Wait()
		defer stop()

		owner, roleID, token := member(t, one, admin, role("reader", nil, hark.ReadEvents))
		v := must[*hark.Viewer](t)(two.Authenticate(ctx, token.Secret.Reveal()))
		before := two.Rules(v, hark.ID{})
		for !before.Can(hark.ReadEvents) {
			t.Fatal("the role is not there")
		}
		_, err := one.UpdateRole(admin, roleID, role("reader", nil, hark.SubscribeEvents))
		if err != nil {
			t.Fatal(err)
		}
		deadline := time.After(5 * time.Second)
		for two.Rules(v, hark.ID{}).Can(hark.ReadEvents) { // a first poll may wake the watch without a change
			changed, stop := watch(two, v)
			select {
			case <-changed:
			case <-deadline:
				t.Fatal("no word of the change")
			}
			stop()
			v = must[*hark.Viewer](t)(two.Reauthorize(ctx, v))
		}
		if two.Rules(v, hark.ID{}) == before || !two.Rules(v, hark.ID{}).Can(hark.SubscribeEvents) {
			t.Error("the rules are not the new ones")
		}
		if err := one.DeleteIdentity(admin, owner); err != nil {
			t.Fatal(err)
		}
		for {
			changed, stop := watch(two, v)
			select {
			case <-changed:
			case <-deadline:
				t.Fatal("no word of the deletion")
			}
			stop()
			if v, err = two.Reauthorize(ctx, v); err != nil {
				break
			}
		}
		want(t, "deleted", err, hark.Unauthenticated, access.InvalidToken)
	})
}

// A watch that begins after the change it waits for ends at once.
func TestWatchMissesNothing(t *testing.T) {
	t.Parallel()
	a, admin := start(t, testkit.Store(t))
	_, roleID, token := member(t, a, admin, role("reader", nil, hark.ReadEvents))
	v := must[*hark.Viewer](t)(a.Authenticate(t.Context(), token.Secret.Reveal()))
	if err := a.DeleteRole(admin, roleID); err != nil {
		t.Fatal(err)
	}
	changed, stop := watch(a, v)
	defer stop()
	<-changed
	v = must[*hark.Viewer](t)(a.Reauthorize(t.Context(), v))
	if !a.Rules(v, hark.ID{}).Empty() {
		t.Error("a deleted role still allows")
	}
	still, stop := watch(a, v)
	stop()
	stop()
	select {
	case <-still:
		t.Error("nothing changed")
	default:
	}
}

func TestUseIsRecorded(t *testing.T) {
	t.Parallel()
	st := testkit.Store(t)
	a, admin := start(t, st)
	owner, _, token := member(t, a, admin, role("reader", nil, hark.ReadAccess))
	as(t, a, token.Secret)
	ctx, stop := context.WithCancel(t.Context())
	stop() // Run records what is left when it ends
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	row, err := a.Identity(admin, owner)
	if err != nil || time.Since(row.LastUsedAt.Time()) > time.Minute {
		t.Errorf("%+v, %v", row, err)
	}
}

// watch is Watch with a channel that is closed.
func watch(a *access.Access, v *hark.Viewer) (<-chan struct{}, func()) {
	changed := make(chan struct{})
	return changed, a.Watch(v, func() { close(changed) })
}
