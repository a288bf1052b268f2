package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access/oidc"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/identity"
	"github.com/hark-events/hark/ent/role"
)

// verifiedFor is how long a JWT's signature is taken as verified: so long a key
// that its issuer has taken back may live on.
const verifiedFor = 10 * time.Minute

// issuedID is the id of the identity that an issuer calls subject, on every
// node the same. It is below all ids that NewID makes.
func issuedID(subject string) hark.ID {
	return configuredID(sha256.Sum256([]byte("issued " + subject)))
}

// verify gives the entry of an issuer's JWT, and makes its identity where there
// is none yet.
func (a *Access) verify(ctx context.Context, token string, hash [32]byte) (*entry, error) {
	claims, err := a.conf.Issuer.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	v := &hark.Viewer{
		IdentityID: issuedID(claims.Subject), Name: claims.Subject,
		TokenID: configuredID(hash), ExpiresAt: claims.ExpiresAt, Issued: &hark.Issued{Roles: claims.Roles},
	}
	if err := a.meet(ctx, claims, v.IdentityID); err != nil {
		return nil, err
	}
	e, err := a.loadIssued(ctx, v)
	if err != nil {
		return nil, err
	}
	a.cache.byHash.Add(hash, e)
	return e, nil
}

// meet makes the identity of a subject, and notes the roles that its newest
// token gives it: what it has left in hark, its subscriptions, goes by them.
func (a *Access) meet(ctx context.Context, claims *oidc.Claims, id hark.ID) error {
	met := func(row *ent.Identity) bool {
		return row.IssuedUntil >= claims.ExpiresAt || slices.Equal(row.IssuedRoles, claims.Roles)
	}
	row, err := a.store.Ent().Identity.Get(ctx, id)
	switch {
	case err == nil && met(row):
		return nil
	case err != nil && !ent.IsNotFound(err):
		return fmt.Errorf("read identity: %w", err)
	}
	return a.change(ctx, func(tx *ent.Tx) error {
		switch row, err := tx.Identity.Get(ctx, id); {
		case ent.IsNotFound(err):
			err := tx.Identity.Create().SetID(id).SetName(claims.Subject).SetIssuedRoles(claims.Roles).SetIssuedUntil(claims.ExpiresAt).Exec(ctx)
			if err != nil {
				return fmt.Errorf("create identity: %w", err)
			}
			return Audit(ctx, tx, "createIdentity", id.String(), nil, map[string]any{"name": claims.Subject, "issuedRoles": claims.Roles})
		case err != nil:
			return fmt.Errorf("read identity: %w", err)
		case met(row): // another request was first
			return nil
		default:
			if err := tx.Identity.UpdateOneID(id).SetIssuedRoles(claims.Roles).SetIssuedUntil(claims.ExpiresAt).Exec(ctx); err != nil {
				return fmt.Errorf("update identity: %w", err)
			}
			return Audit(ctx, tx, "updateIdentity", id.String(), nil, Change{
				Before: map[string]any{"issuedRoles": row.IssuedRoles}, After: map[string]any{"issuedRoles": claims.Roles},
			})
		}
	})
}

// loadIssued reads what the identity of an issuer's token holds now: the grants
// made in hark, and the roles that the token names.
func (a *Access) loadIssued(ctx context.Context, v *hark.Viewer) (*entry, error) {
	generation, read := a.cache.generation.Load(), time.Now() // before the read: a change meanwhile makes it stale
	q := a.store.Ent().Identity.Query().Where(identity.ID(v.IdentityID))
	withGrants(q)
	row, err := q.Only(ctx)
	if ent.IsNotFound(err) {
		return nil, unauthenticated(Revoked) // deleted since it was met
	}
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	issued, err := a.issuedGrants(ctx, v.Issued.Roles)
	if err != nil {
		return nil, err
	}
	now := *v
	now.Grants = append(grantsOf(row.Edges.Grants), issued...)
	e := &entry{viewer: &now, generation: generation, read: read}
	e.lastUsed.Store(int64(row.LastUsedAt))
	if !expired(e.viewer) {
		a.cache.byID.Add(now.TokenID, e)
	}
	return e, nil
}

// issuedGrants are the grants that role names stand for: "name" is a role that
// can be granted in all projects, granted there; "slug/name" a role in the
// project of that slug. A name that is no role's grants nothing.
func (a *Access) issuedGrants(ctx context.Context, names []string) (grants []hark.Grant, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	all := slices.Clone(names) // a general role may be granted in one project
	projects := map[string]hark.ID{}
	for _, n := range names {
		slug, name, ok := strings.Cut(n, "/")
		if !ok {
			continue
		}
		all = append(all, name)
		id, err := a.ProjectID(ctx, slug)
		if e, refused := err.(*hark.Error); refused && e.Code == hark.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		projects[n] = id
	}
	rows, err := a.store.Ent().Role.Query().Where(role.NameIn(all...)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	for _, r := range rows {
		for _, n := range names {
			if r.ProjectID == nil && r.Name == n {
				grants = append(grants, grantOf(r, hark.ID{}))
			}
			_, name, _ := strings.Cut(n, "/")
			if id, ok := projects[n]; ok && r.Name == name && (r.ProjectID == nil || *r.ProjectID == id) {
				grants = append(grants, grantOf(r, id))
			}
		}
	}
	return grants, nil
}

func grantOf(r *ent.Role, project hark.ID) hark.Grant {
	g := hark.Grant{RoleID: r.ID, ProjectID: project}
	for _, rule := range r.Rules {
		g.Rules = append(g.Rules, *rule)
	}
	return g
}
