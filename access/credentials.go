package access

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/accesstoken"
	"github.com/hark-events/hark/ent/clientsecret"
	"github.com/hark-events/hark/ent/identity"
)

// A Credential is a new secret of an identity, in the clear this once.
type Credential struct {
	ID        hark.ID     // of the access token; of a client secret: the client id
	Secret    hark.Secret // "hark_…"
	ExpiresAt hark.Time   // zero: never
}

// ClientSecretInput says what a client secret is good for.
type ClientSecretInput struct {
	TTLSeconds   *int     // 1 to 315,360,000; nil: no end
	MaxUses      *int     // how many logins, 1 to 1,000,000,000; nil: any number
	TrustedCIDRs []string // where logins may come from, at most 50; none: from everywhere
}

// maxTrusted is how many CIDRs a client secret has at most.
const maxTrusted = 50

func (in *ClientSecretInput) check() error {
	if in.MaxUses != nil && (*in.MaxUses < 1 || *in.MaxUses > 1_000_000_000) {
		return hark.BadInput("maxUses", "maxUses is between 1 and 1,000,000,000, or left out for any number")
	}
	if len(in.TrustedCIDRs) > maxTrusted {
		return hark.BadInput("trustedCidrs", "a client secret has at most %d CIDRs", maxTrusted)
	}
	for i, s := range in.TrustedCIDRs {
		if p, err := netip.ParsePrefix(s); err != nil || p != p.Masked() || p.Addr().Is4In6() {
			return hark.BadInput(fmt.Sprintf("trustedCidrs.%d", i), "a CIDR is an address and a length, such as 10.0.0.0/8 or 2001:db8::/32")
		}
	}
	return nil
}

// CreateClientSecret makes a secret for universal auth; earlier ones go on
// working. It needs MANAGE_ACCESS in all projects and all that the identity
// may do, else FORBIDDEN. BAD_USER_INPUT for "ttlSeconds", "maxUses" and
// "trustedCidrs.N".
func (a *Access) CreateClientSecret(ctx context.Context, owner hark.ID, in ClientSecretInput) (Credential, error) {
	return a.createCredential(ctx, owner, in.TTLSeconds, in.check, func(tx *ent.Tx, hash []byte, expires hark.Time) (hark.ID, error) {
		create := tx.ClientSecret.Create().SetIdentityID(owner).SetHash(hash).SetExpiresAt(expires).SetTrustedCidrs(in.TrustedCIDRs)
		detail := map[string]any{"expiresAt": orNone(expires), "maxUses": in.MaxUses, "trustedCidrs": in.TrustedCIDRs}
		if in.MaxUses != nil {
			create.SetMaxUses(*in.MaxUses)
		}
		if err := create.Exec(ctx); err != nil {
			return hark.ID{}, fmt.Errorf("create client secret: %w", err)
		}
		return owner, Audit(ctx, tx, "createClientSecret", owner.String(), nil, detail)
	})
}

func orNone(t hark.Time) *hark.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// CreateAccessToken makes an access token, on the terms of CreateClientSecret.
func (a *Access) CreateAccessToken(ctx context.Context, owner hark.ID, ttlSeconds *int) (Credential, error) {
	return a.createCredential(ctx, owner, ttlSeconds, nil, func(tx *ent.Tx, hash []byte, expires hark.Time) (hark.ID, error) {
		row, err := tx.AccessToken.Create().SetIdentityID(owner).SetHash(hash).SetExpiresAt(expires).Save(ctx)
		if err != nil {
			return hark.ID{}, fmt.Errorf("create access token: %w", err)
		}
		return row.ID, Audit(ctx, tx, "createAccessToken", row.ID.String(), nil, tokenDetail(owner, expires))
	})
}

func (a *Access) createCredential(ctx context.Context, owner hark.ID, ttlSeconds *int, check func() error,
	create func(tx *ent.Tx, hash []byte, expires hark.Time) (hark.ID, error),
) (Credential, error) {
	v, err := a.manage(ctx, nil)
	if err != nil {
		return Credential{}, err
	}
	expires, err := expiryOf(ttlSeconds)
	if err != nil {
		return Credential{}, err
	}
	if check != nil {
		if err := check(); err != nil {
			return Credential{}, err
		}
	}
	c := Credential{Secret: newSecret(), ExpiresAt: expires}
	err = a.change(ctx, func(tx *ent.Tx) error { // in turn with grants, which decide whether v may
		q := tx.Identity.Query().Where(identity.ID(owner))
		withGrants(q)
		row, err := q.Only(ctx)
		if ent.IsNotFound(err) {
			return noIdentity()
		}
		if err != nil {
			return fmt.Errorf("read identity: %w", err)
		}
		if err := a.checkHoldsAll(v, row.Edges.Grants); err != nil {
			return err
		}
		hash := hashOf(c.Secret.Reveal())
		c.ID, err = create(tx, hash[:], expires)
		return err
	})
	if err != nil {
		return Credential{}, err
	}
	return c, nil
}

// tokenDetail tells the audit log whose token it is, and until when.
func tokenDetail(owner hark.ID, expires hark.Time) any {
	return map[string]any{"identityId": owner, "expiresAt": orNone(expires)}
}

// RevokeClientSecrets ends all client secrets of an identity and says how many
// there were; tokens got with them live on. It needs MANAGE_ACCESS in all
// projects; NOT_FOUND when there is no such identity.
func (a *Access) RevokeClientSecrets(ctx context.Context, owner hark.ID) (n int, err error) {
	if _, err := a.manage(ctx, nil); err != nil {
		return 0, err
	}
	err = a.store.Tx(ctx, func(tx *ent.Tx) error { // Login reads secrets every time: nothing is kept of them
		found, err := tx.Identity.Query().Where(identity.ID(owner)).Exist(ctx)
		if err != nil {
			return fmt.Errorf("read identity: %w", err)
		}
		if !found {
			return noIdentity()
		}
		n, err = tx.ClientSecret.Update().Where(clientsecret.IdentityID(owner), clientsecret.RevokedAt(0)).
			SetRevokedAt(hark.Now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("revoke client secrets: %w", err)
		}
		return Audit(ctx, tx, "revokeClientSecrets", owner.String(), nil, map[string]int{"revoked": n})
	})
	return n, err
}

// RevokeAccessToken ends an access token; streams opened with it end within a
// second. It needs MANAGE_ACCESS in all projects; NOT_FOUND when there is none.
func (a *Access) RevokeAccessToken(ctx context.Context, id hark.ID) error {
	if _, err := a.manage(ctx, nil); err != nil {
		return err
	}
	return a.change(ctx, func(tx *ent.Tx) error {
		n, err := tx.AccessToken.Update().Where(accesstoken.ID(id), accesstoken.RevokedAt(0)).
			SetRevokedAt(hark.Now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("revoke access token: %w", err)
		}
		if n == 0 {
			switch known, err := tx.AccessToken.Query().Where(accesstoken.ID(id)).Exist(ctx); {
			case err != nil:
				return fmt.Errorf("read access token: %w", err)
			case !known:
				return hark.Errorf(hark.NotFound, "there is no such access token")
			}
			return nil // it was revoked before
		}
		return Audit(ctx, tx, "revokeAccessToken", id.String(), nil, nil)
	})
}
