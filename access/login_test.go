package access_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/auditentry"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

// from is a context whose request comes from an address.
func from(t *testing.T, address string) context.Context {
	t.Helper()
	return hark.WithOrigin(t.Context(), hark.Origin{Address: address, UserAgent: "test/1"})
}

func TestClientSecrets(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		a, admin := start(t, st)
		owner := must2(t, func() (hark.ID, error) { row, err := a.CreateIdentity(admin, "ci"); return row.ID, err })
		make := func(in access.ClientSecretInput) hark.Secret {
			t.Helper()
			return must[access.Credential](t)(a.CreateClientSecret(admin, owner, in)).Secret
		}
		login := func(ctx context.Context, s hark.Secret) error {
			_, err := a.Login(ctx, owner.String(), s.Reveal())
			return err
		}
		refused := func(what string, err error) {
			t.Helper()
			want(t, what, err, hark.Unauthenticated, "invalid_credentials")
		}

		twice := make(access.ClientSecretInput{MaxUses: new(2)})
		var all sync.WaitGroup
		errs := [6]error{}
		for i := range errs {
			all.Go(func() { errs[i] = login(t.Context(), twice) })
		}
		all.Wait()
		var good int
		for _, err := range errs {
			if err == nil {
				good++
			}
		}
		if good != 2 {
			t.Errorf("a secret for two logins gave %d: %v", good, errs)
		}
		refused("used up", login(t.Context(), twice))

		second := 1
		brief := make(access.ClientSecretInput{TTLSeconds: &second})
		if err := login(t.Context(), brief); err != nil {
			t.Error(err)
		}
		local := make(access.ClientSecretInput{TrustedCIDRs: []string{"10.0.0.0/8", "2001:db8::/32"}})
		for address, ok := range map[string]bool{"10.1.2.3": true, "2001:db8::1": true, "192.0.2.1": false, "": false} {
			if err := login(from(t, address), local); (err == nil) != ok {
				t.Errorf("from %q: %v", address, err)
			}
		}
		for field, in := range map[string]access.ClientSecretInput{
			"maxUses":        {MaxUses: new(0)},
			"ttlSeconds":     {TTLSeconds: new(0)},
			"trustedCidrs.0": {TrustedCIDRs: []string{"10.0.0.1/8"}},
			"trustedCidrs.1": {TrustedCIDRs: []string{"10.0.0.0/8", "here"}},
			"trustedCidrs":   {TrustedCIDRs: strings.Split(strings.Repeat("10.0.0.0/8 ", 50)+"10.0.0.0/8", " ")},
		} {
			_, err := a.CreateClientSecret(admin, owner, in)
			want(t, field, err, hark.BadUserInput, field)
		}
		if _, err := a.RevokeClientSecrets(admin, owner); err != nil {
			t.Fatal(err)
		}
		refused("revoked", login(from(t, "10.1.2.3"), local))
		refused("expired or revoked", login(t.Context(), brief))
		if n := st.Ent().Identity.GetX(t.Context(), owner).LoginFailures; n != 0 {
			t.Errorf("a right secret that has ended is no guess, but counted %d times", n)
		}
	})
}

func TestLockOut(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		a, admin := start(t, st)
		owner := must2(t, func() (hark.ID, error) { row, err := a.CreateIdentity(admin, "ci"); return row.ID, err })
		other := must2(t, func() (hark.ID, error) { row, err := a.CreateIdentity(admin, "other"); return row.ID, err })
		secret := must[access.Credential](t)(a.CreateClientSecret(admin, owner, access.ClientSecretInput{})).Secret.Reveal()
		theirs := must[access.Credential](t)(a.CreateClientSecret(admin, other, access.ClientSecretInput{})).Secret.Reveal()
		try := func(s string) error { _, err := a.Login(from(t, "192.0.2.7"), owner.String(), s); return err }
		for range 4 {
			want(t, "wrong", try("hark_wrong"), hark.Unauthenticated, "invalid_credentials")
		}
		if err := try(secret); err != nil {
			t.Fatal(err)
		}
		for range 4 { // a success forgets what was before
			want(t, "wrong", try(theirs), hark.Unauthenticated, "invalid_credentials")
		}
		want(t, "the fifth", try("hark_wrong"), hark.Unauthenticated, "invalid_credentials")
		want(t, "locked", try(secret), hark.RateLimited, "")
		if _, err := a.Login(t.Context(), other.String(), theirs); err != nil {
			t.Error("another client id is not locked:", err)
		}
		old := hark.Now().Add(-5 * time.Minute)
		if err := st.Ent().Identity.UpdateOneID(owner).SetLoginFailedAt(old).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(t, "after five minutes it begins anew", try("hark_wrong"), hark.Unauthenticated, "invalid_credentials")
		if err := try(secret); err != nil {
			t.Error(err)
		}

		// The audit log knows all of it.
		run(t, a)
		entries := st.Ent().AuditEntry.Query().Where(auditentry.Action("login"), auditentry.Address("192.0.2.7")).Order(auditentry.ByID()).AllX(t.Context())
		got := map[string]int{}
		for _, e := range entries {
			if e.UserAgent != "test/1" || strings.Contains(string(e.Detail), "hark_") {
				t.Errorf("%+v %s", e, e.Detail)
			}
			switch detail := string(e.Detail); {
			case strings.Contains(detail, `"count":10`) && strings.Contains(detail, "wrong client secret") && e.Target == owner.String():
				got["wrong"]++
			case strings.Contains(detail, "locked out"):
				got["locked"]++
			case e.ActorID != nil && *e.ActorID == owner && strings.Contains(detail, "expiresAt") && strings.Contains(detail, owner.String()):
				got["success"]++
			default:
				t.Errorf("%+v %s", e, detail)
			}
		}
		if got["wrong"] != 1 || got["locked"] != 1 || got["success"] != 2 {
			t.Error(got)
		}
	})
}

// run lets Run write what was noted.
func run(t *testing.T, a *access.Access) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestRefusalsAreAudited(t *testing.T) {
	t.Parallel()
	st := testkit.Store(t)
	a, admin := start(t, st)
	owner, _, token := member(t, a, admin, role("reader", nil, hark.ReadEvents))
	ctx := hark.WithOrigin(as(t, a, token.Secret), hark.Origin{Address: "192.0.2.1"})
	for range 1000 {
		_, err := a.CreateIdentity(ctx, "x")
		a.NoteRefusal(ctx, err.(*hark.Error))
	}
	_, err := a.Authenticate(t.Context(), "hark_nonsense")
	a.NoteRefusal(from(t, "192.0.2.2"), err.(*hark.Error))
	_, err = hark.ViewerFrom(t.Context())
	a.NoteRefusal(from(t, "192.0.2.3"), err.(*hark.Error)) // nobody came with anything
	run(t, a)
	entries := st.Ent().AuditEntry.Query().Where(auditentry.Action("refuse")).AllX(t.Context())
	if len(entries) != 2 {
		t.Fatal(entries)
	}
	for _, e := range entries {
		switch e.Address {
		case "192.0.2.1":
			if *e.ActorID != owner || e.Target != "MANAGE_ACCESS" || !strings.Contains(string(e.Detail), `"count":1000`) {
				t.Errorf("%+v %s", e, e.Detail)
			}
		case "192.0.2.2":
			if e.ActorID != nil || e.Target != "UNAUTHENTICATED" || !strings.Contains(string(e.Detail), "invalid_token") {
				t.Errorf("%+v %s", e, e.Detail)
			}
		default:
			t.Errorf("%+v", e)
		}
	}
}

func TestOldAuditEntriesGo(t *testing.T) {
	t.Parallel()
	st := testkit.Store(t)
	a, _ := start(t, st)
	before := st.Ent().AuditEntry.Query().CountX(t.Context())
	old := make([]*ent.AuditEntryCreate, 1200)
	for i := range old {
		var id hark.ID
		id[15], id[14] = byte(i), byte(i>>8) // long ago
		old[i] = st.Ent().AuditEntry.Create().SetID(id).SetAt(hark.Now().Add(-91 * 24 * time.Hour)).SetAction("x").SetTarget("y")
	}
	st.Ent().AuditEntry.CreateBulk(old...).ExecX(t.Context())
	if err := a.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := st.Ent().AuditEntry.Query().CountX(t.Context()); n != before {
		t.Errorf("%d entries are left, not %d", n, before)
	}
}

func TestChangesOfRolesAreAuditedWithWhatWasBefore(t *testing.T) {
	t.Parallel()
	st := testkit.Store(t)
	a, admin := start(t, st)
	row, err := a.CreateRole(admin, role("first", nil, hark.ReadEvents))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.UpdateRole(admin, row.ID, role("second", nil, hark.PublishEvents)); err != nil {
		t.Fatal(err)
	}
	e := st.Ent().AuditEntry.Query().Where(auditentry.Action("updateRole")).OnlyX(t.Context())
	if want := `{"before":{"name":"first","rules":[{"actions":["READ_EVENTS"]}]},"after":{"name":"second","rules":[{"actions":["PUBLISH_EVENTS"]}]}}`; string(e.Detail) != want {
		t.Errorf("%s", e.Detail)
	}
}
