package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/accesstoken"
	"github.com/hark-events/hark/ent/identity"
	"github.com/hark-events/hark/ent/role"
	"github.com/hark-events/hark/ent/rolegrant"
)

const (
	admin = "admin" // the built-in role, and the identity that holds it from the start

	// minAdminToken is the least length of a configured token, in characters.
	minAdminToken = 32
)

// adminID is the id of the identity admin, the same in every database, so that
// two nodes can't make two of it.
func adminID() hark.ID { return hark.MustParseID("01980000-0000-7000-8000-000000000003") }

// configuredID is the id of a configured token: below all ids that NewID makes,
// and made from the token's hash, so that the rows of configured tokens are
// known and every node makes the same one.
func configuredID(hash [32]byte) (id hark.ID) {
	again := hashOf(string(hash[:])) // the id is shown, the hash is not
	copy(id[6:], again[:])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// lastConfiguredID is the greatest id of a configured token.
func lastConfiguredID() hark.ID { return hark.MustParseID("00000000-0000-7fff-bfff-ffffffffffff") }

// EnsureAdmin makes sure that somebody can get in. A configured token becomes
// a token of the identity admin, with the built-in role admin in all projects,
// and one that was configured before ends. Without one, the first call on a
// database makes a token and returns it, to be printed this once; later calls
// change nothing. Any number of nodes may call it at once.
func (a *Access) EnsureAdmin(ctx context.Context, token hark.Secret) (printed hark.Secret, err error) {
	text := token.Reveal()
	switch {
	case text == "":
	case len(text) < minAdminToken:
		return "", fmt.Errorf("HARK_ADMIN_TOKEN has at least %d characters, such as those of: openssl rand -hex 32", minAdminToken)
	case len(text) > maxToken, strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("HARK_ADMIN_TOKEN has printable ASCII characters alone, and no spaces")
	}
	if done, err := a.adminDone(ctx, text); done || err != nil {
		return "", err
	}
	err = a.change(ctx, func(tx *ent.Tx) error {
		if err := ensureAdminIdentity(ctx, tx); err != nil {
			return err
		}
		if text != "" {
			return configureAdmin(ctx, tx, text)
		}
		// Looked for again: another node may have been first.
		if exists, err := tx.AccessToken.Query().Where(accesstoken.IdentityID(adminID())).Exist(ctx); exists || err != nil {
			return err
		}
		secret := newSecret()
		hash := hashOf(secret.Reveal())
		row, err := tx.AccessToken.Create().SetIdentityID(adminID()).SetHash(hash[:]).Save(ctx)
		if err != nil {
			return err
		}
		printed = secret
		return Audit(ctx, tx, "createAccessToken", row.ID.String(), nil, tokenDetail(adminID(), 0))
	})
	if err != nil {
		return "", fmt.Errorf("admin: %w", err) // nothing was stored, so nothing is printed
	}
	return printed, nil
}

// adminDone tells whether all is as it shall be, so that a start changes nothing.
func (a *Access) adminDone(ctx context.Context, token string) (bool, error) {
	q := a.store.Ent().AccessToken.Query().Where(accesstoken.IdentityID(adminID()))
	if token != "" {
		hash := hashOf(token)
		others, err := q.Clone().Where(accesstoken.IDLTE(lastConfiguredID()), accesstoken.IDNEQ(configuredID(hash)), accesstoken.RevokedAt(0)).Exist(ctx)
		if err != nil {
			return false, fmt.Errorf("admin: %w", err)
		}
		if others {
			return false, nil
		}
		q.Where(accesstoken.Hash(hash[:]), accesstoken.RevokedAt(0),
			accesstoken.HasIdentityWith(identity.HasGrantsWith(rolegrant.ProjectIDIsNil(), rolegrant.HasRoleWith(role.BuiltIn(true), role.Name(admin)))))
	}
	done, err := q.Exist(ctx)
	if err != nil {
		return false, fmt.Errorf("admin: %w", err)
	}
	return done, nil
}

// ensureAdminIdentity makes the identity admin and its grant where they are missing.
func ensureAdminIdentity(ctx context.Context, tx *ent.Tx) error {
	exists, err := tx.Identity.Query().Where(identity.ID(adminID())).Exist(ctx)
	if err != nil {
		return err
	}
	if !exists {
		if err := tx.Identity.Create().SetID(adminID()).SetName(admin).Exec(ctx); err != nil {
			return err
		}
		if err := Audit(ctx, tx, "createIdentity", adminID().String(), nil, map[string]string{"name": admin}); err != nil {
			return err
		}
	}
	return ensureGrant(ctx, tx, adminID(), admin)
}

// ensureGrant gives an identity a role in all projects, by the role's name.
func ensureGrant(ctx context.Context, tx *ent.Tx, owner hark.ID, name string) error {
	roleID, err := tx.Role.Query().Where(role.Name(name), role.ProjectIDIsNil()).OnlyID(ctx)
	if ent.IsNotFound(err) {
		return fmt.Errorf("there is no role %q that can be granted in all projects", name)
	}
	if err != nil {
		return err
	}
	held, err := tx.RoleGrant.Query().Where(theGrant(owner, roleID, nil)).Exist(ctx)
	if held || err != nil {
		return err
	}
	if err := tx.RoleGrant.Create().SetIdentityID(owner).SetRoleID(roleID).Exec(ctx); err != nil {
		return err
	}
	return Audit(ctx, tx, "grantRole", owner.String(), nil, map[string]string{"roleId": roleID.String()})
}

// configureAdmin makes token the one configured token.
func configureAdmin(ctx context.Context, tx *ent.Tx, token string) error {
	hash := hashOf(token)
	id := configuredID(hash)
	err := tx.AccessToken.Update().
		Where(accesstoken.IdentityID(adminID()), accesstoken.IDLTE(lastConfiguredID()), accesstoken.IDNEQ(id), accesstoken.RevokedAt(0)).
		SetRevokedAt(hark.Now()).Exec(ctx)
	if err != nil {
		return err
	}
	// Where a token of hark's own is configured, its row is there under another id.
	n, err := tx.AccessToken.Update().Where(accesstoken.IdentityID(adminID()), accesstoken.Hash(hash[:])).SetRevokedAt(0).SetExpiresAt(0).Save(ctx)
	if n > 0 || err != nil {
		return err
	}
	err = tx.AccessToken.Create().SetID(id).SetIdentityID(adminID()).SetHash(hash[:]).Exec(ctx)
	if ent.IsConstraintError(err) {
		return errors.New("HARK_ADMIN_TOKEN is the token of another identity: choose another one")
	}
	if err != nil {
		return err
	}
	return Audit(ctx, tx, "createAccessToken", id.String(), nil, tokenDetail(adminID(), 0))
}

// CreateToken makes an identity of that name with an access token, for whoever
// has the database in hand: nobody's rights are asked for. A role is granted in
// all projects; an empty one grants nothing. A ttl of 0 means no end.
func (a *Access) CreateToken(ctx context.Context, name, role string, ttl time.Duration) (hark.Secret, error) {
	if err := hark.CheckName("name", name, hark.MaxName); err != nil {
		return "", err
	}
	if ttl < 0 || ttl > MaxTTL {
		return "", hark.BadInput("ttl", "a token lives at most %v, or with 0 without end", MaxTTL)
	}
	var expires hark.Time
	if ttl > 0 {
		expires = hark.Now().Add(ttl)
	}
	secret := newSecret()
	hash := hashOf(secret.Reveal())
	err := a.change(ctx, func(tx *ent.Tx) error {
		owner, err := tx.Identity.Create().SetName(name).Save(ctx)
		if err != nil {
			return err
		}
		if err := Audit(ctx, tx, "createIdentity", owner.ID.String(), nil, map[string]string{"name": name}); err != nil {
			return err
		}
		if role != "" {
			if err := ensureGrant(ctx, tx, owner.ID, role); err != nil {
				return err
			}
		}
		token, err := tx.AccessToken.Create().SetIdentityID(owner.ID).SetHash(hash[:]).SetExpiresAt(expires).Save(ctx)
		if err != nil {
			return err
		}
		return Audit(ctx, tx, "createAccessToken", token.ID.String(), nil, tokenDetail(owner.ID, expires))
	})
	if err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return secret, nil
}
