package access_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/access/oidc"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

// issuer takes texts of the form of a JWT as what it has claims for.
type issuer map[string]*oidc.Claims

func (i issuer) Verify(_ context.Context, token string) (*oidc.Claims, error) {
	if c := i[token]; c != nil {
		return c, nil
	}
	return nil, &hark.Error{Code: hark.Unauthenticated, Message: "no", Details: map[string]any{"reason": oidc.Invalid}}
}

// jwt is a text of the form of one.
func jwt(name string) string {
	return "eyJhbGciOiJFUzI1NiJ9.e30." + base64.RawURLEncoding.EncodeToString([]byte(name))
}

func TestIssuedTokens(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		until := func(d time.Duration) hark.Time { return hark.Now().Add(d) }
		i := issuer{
			jwt("reads"):  {Subject: "ci", Roles: []string{"viewer", "no such role"}, ExpiresAt: until(time.Hour)},
			jwt("writes"): {Subject: "ci", Roles: []string{"publisher"}, ExpiresAt: until(2 * time.Hour)},
			jwt("local"):  {Subject: "shop", Roles: []string{"shop/viewer", "shop/own", "default/own", "nowhere/viewer", "own"}, ExpiresAt: until(time.Hour)},
			jwt("short"):  {Subject: "short", ExpiresAt: until(time.Second)},
		}
		a := access.New(st, slog.New(slog.DiscardHandler), access.Config{Issuer: i})
		token := must[hark.Secret](t)(a.EnsureAdmin(t.Context(), ""))
		admin := as(t, a, token) // hark's own tokens pass beside the issuer's
		authenticate := func(name string) *hark.Viewer {
			t.Helper()
			return must[*hark.Viewer](t)(a.Authenticate(t.Context(), jwt(name)))
		}
		can := func(v *hark.Viewer, project hark.ID, action hark.Action, want bool) {
			t.Helper()
			if a.Rules(v, project).Can(action) != want {
				t.Errorf("%s: %s is not %t", v.Name, action, want)
			}
		}
		reads, writes := authenticate("reads"), authenticate("writes")
		if reads.IdentityID != writes.IdentityID || reads.Name != "ci" || reads.ExpiresAt != i[jwt("reads")].ExpiresAt {
			t.Errorf("%+v %+v", reads, writes)
		}
		can(reads, hark.ID{}, hark.ReadEvents, true) // each token has its own roles
		can(reads, hark.ID{}, hark.PublishEvents, false)
		can(writes, hark.ID{}, hark.PublishEvents, true)
		can(writes, hark.ID{}, hark.ReadEvents, false)
		_ = authenticate("reads") // an older token than the newest changes nothing
		owners, err := a.Owners(t.Context(), store.DefaultProjectID(), []hark.ID{reads.IdentityID})
		if err != nil || owners[reads.IdentityID].Can(hark.ReadEvents) || !owners[reads.IdentityID].Can(hark.PublishEvents) {
			t.Errorf("what it left goes by its newest token: %v %v", owners, err)
		}

		// Grants made in hark count too, at once.
		project, err := a.CreateProject(admin, "shop", "Shop")
		if err != nil {
			t.Fatal(err)
		}
		own := must2(t, func() (hark.ID, error) {
			row, err := a.CreateRole(admin, role("own", &project.ID, hark.ManageDeliveries))
			return row.ID, err
		})
		if _, err := a.GrantRole(admin, reads.IdentityID, own, &project.ID); err != nil {
			t.Fatal(err)
		}
		now := must[*hark.Viewer](t)(a.Reauthorize(t.Context(), reads))
		can(now, project.ID, hark.ManageDeliveries, true)
		can(now, hark.ID{}, hark.ReadEvents, true)

		local := authenticate("local")
		can(local, project.ID, hark.ReadEvents, true)
		can(local, project.ID, hark.ManageDeliveries, true)
		can(local, hark.ID{}, hark.ReadEvents, false)
		can(local, store.DefaultProjectID(), hark.ManageDeliveries, false)

		_, err = a.Authenticate(t.Context(), jwt("forged"))
		want(t, "forged", err, hark.Unauthenticated, oidc.Invalid)
		_, err = a.Renew(t.Context(), jwt("reads"))
		want(t, "renew", err, hark.BadUserInput, "accessToken")
		want(t, "revoke", a.Revoke(t.Context(), jwt("reads")), hark.BadUserInput, "accessToken")

		short := authenticate("short")
		changed, stop := watch(a, short)
		defer stop()
		<-changed
		_, err = a.Reauthorize(t.Context(), short)
		want(t, "expired", err, hark.Unauthenticated, access.Expired)

		if err := a.DeleteIdentity(admin, reads.IdentityID); err != nil {
			t.Fatal(err)
		}
		_, err = a.Reauthorize(t.Context(), now)
		want(t, "its identity is deleted", err, hark.Unauthenticated, access.Revoked)
	})
}
