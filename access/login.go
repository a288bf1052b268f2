package access

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/accesstoken"
	"github.com/hark-events/hark/ent/clientsecret"
	"github.com/hark-events/hark/ent/identity"
)

// A Token is an access token as universal auth answers with it.
type Token struct {
	AccessToken hark.Secret
	ExpiresIn   int64 // seconds until it ends
	MaxTTL      int64 // the longest life of any token from universal auth, in seconds
}

// Lock-out of universal auth.
const (
	maxFailures = 5 // wrong secrets of one client id in a row
	lockedFor   = 5 * time.Minute
)

// wrongCredentials is the reason of a failed login.
const wrongCredentials = "invalid_credentials"

// Login gives an access token for a client id and one of its secrets. A wrong
// id, a wrong secret, and one that expired, was revoked or used up, or that
// comes from an address that it is not for, all answer the same
// UNAUTHENTICATED; the audit log knows more. After five wrong secrets in a row
// the client id answers RATE_LIMITED for five minutes.
func (a *Access) Login(ctx context.Context, clientID, clientSecret string) (Token, error) {
	id, err := hark.ParseID(clientID)
	if err != nil || len(clientSecret) > maxToken {
		return Token{}, a.refuseLogin(ctx, hark.ID{}, "no such client id")
	}
	owner, err := a.store.Ent().Identity.Get(ctx, id)
	if ent.IsNotFound(err) {
		return Token{}, a.refuseLogin(ctx, hark.ID{}, "no such client id")
	}
	if err != nil {
		return Token{}, fmt.Errorf("read identity: %w", err)
	}
	if wait := owner.LoginFailedAt.Add(lockedFor).Sub(hark.Now()); owner.LoginFailures >= maxFailures && wait > 0 {
		_ = a.refuseLogin(ctx, id, "locked out")
		return Token{}, hark.TooOften(wait, "too many wrong client secrets: the client id is locked for up to five minutes")
	}
	hash := hashOf(clientSecret)
	row, err := a.store.Ent().ClientSecret.Query().Where(clientsecret.Hash(hash[:]), clientsecret.IdentityID(id)).Only(ctx)
	if ent.IsNotFound(err) {
		if err := a.countFailure(ctx, id); err != nil {
			return Token{}, err
		}
		return Token{}, a.refuseLogin(ctx, id, "wrong client secret")
	}
	if err != nil {
		return Token{}, fmt.Errorf("read client secret: %w", err)
	}
	if why := unusable(row, hark.OriginFrom(ctx).Address); why != "" {
		return Token{}, a.refuseLogin(ctx, id, why)
	}
	t, err := a.useSecret(ctx, owner, row)
	if errors.Is(err, errUsedUp) || ent.IsConstraintError(err) { // or the identity was deleted meanwhile
		return Token{}, a.refuseLogin(ctx, id, "the client secret is used up or revoked")
	}
	return t, err
}

// unusable tells why a client secret can't be used from an address; empty: it can.
func unusable(row *ent.ClientSecret, address string) string {
	switch {
	case !row.RevokedAt.IsZero():
		return "the client secret was revoked"
	case !row.ExpiresAt.IsZero() && row.ExpiresAt <= hark.Now():
		return "the client secret has expired"
	case len(row.TrustedCidrs) > 0 && !comesFrom(row.TrustedCidrs, address):
		return "the client secret is not for this address"
	}
	return ""
}

func comesFrom(cidrs []string, address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(cidrs, func(s string) bool {
		p, err := netip.ParsePrefix(s)
		return err == nil && p.Contains(ip)
	})
}

var errUsedUp = errors.New("the client secret is used up")

// useSecret counts a use of a client secret and makes a token for it. Not a
// change of access: a token that nobody has used is in no cache.
func (a *Access) useSecret(ctx context.Context, owner *ent.Identity, row *ent.ClientSecret) (t Token, err error) {
	ctx = hark.WithViewer(ctx, &hark.Viewer{IdentityID: owner.ID})
	err = a.store.Tx(ctx, func(tx *ent.Tx) error {
		n, err := tx.ClientSecret.Update().Where(clientsecret.ID(row.ID), clientsecret.RevokedAt(0), func(s *sql.Selector) {
			s.Where(sql.Or(sql.EQ(s.C(clientsecret.FieldMaxUses), 0), sql.ColumnsLT(s.C(clientsecret.FieldUses), s.C(clientsecret.FieldMaxUses))))
		}).AddUses(1).Save(ctx)
		if err != nil {
			return fmt.Errorf("use client secret: %w", err)
		}
		if n == 0 {
			return errUsedUp
		}
		if owner.LoginFailures > 0 {
			if err := tx.Identity.UpdateOneID(owner.ID).SetLoginFailures(0).Exec(ctx); err != nil {
				return err
			}
		}
		t, err = a.issue(ctx, tx, "login", owner.ID, a.conf.TokenTTL)
		return err
	})
	return t, err
}

// countFailure counts a wrong secret; one that is long ago does not count any more.
func (a *Access) countFailure(ctx context.Context, id hark.ID) error {
	now := hark.Now()
	n, err := a.store.Ent().Identity.Update().Where(identity.ID(id), identity.LoginFailedAtGT(now.Add(-lockedFor))).
		AddLoginFailures(1).SetLoginFailedAt(now).Save(ctx)
	if err == nil && n == 0 {
		err = a.store.Ent().Identity.Update().Where(identity.ID(id)).SetLoginFailures(1).SetLoginFailedAt(now).Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("count a failed login: %w", err)
	}
	return nil
}

// refuseLogin notes why for the audit log, and gives the error that does not say it.
func (a *Access) refuseLogin(ctx context.Context, client hark.ID, why string) error {
	r := refusal{action: "login", reason: why, origin: hark.OriginFrom(ctx)}
	if !client.IsZero() {
		r.target = client.String()
	}
	a.refusals.note(r, "the login was refused")
	return &hark.Error{
		Code: hark.Unauthenticated, Message: "the client id and the client secret do not go together, or the secret has ended",
		Details: map[string]any{"reason": wrongCredentials},
	}
}

// Renew gives a new token with a new lifetime for one that is valid, which
// ends when it would have. A token lives no longer by renewing than it was made
// to live, at most TokenTTL.
func (a *Access) Renew(ctx context.Context, token string) (Token, error) {
	v, err := a.Authenticate(ctx, token)
	if err != nil {
		return Token{}, err
	}
	if v.Issued != nil {
		return Token{}, notOwn("renew")
	}
	row, err := a.store.Ent().AccessToken.Get(ctx, v.TokenID)
	if ent.IsNotFound(err) {
		return Token{}, unauthenticated(InvalidToken)
	}
	if err != nil {
		return Token{}, fmt.Errorf("read access token: %w", err)
	}
	ttl := a.conf.TokenTTL
	if !row.ExpiresAt.IsZero() {
		ttl = min(ttl, row.ExpiresAt.Sub(row.CreatedAt).Round(time.Second))
	}
	ctx = hark.WithViewer(ctx, v)
	var t Token
	err = a.store.Tx(ctx, func(tx *ent.Tx) error {
		t, err = a.issue(ctx, tx, "renewAccessToken", row.IdentityID, ttl)
		return err
	})
	return t, err
}

func notOwn(what string) error {
	return hark.BadInput("accessToken", "an identity provider made this token: %s it there", what)
}

// issue makes a token, and tells the audit log by what action.
func (a *Access) issue(ctx context.Context, tx *ent.Tx, action string, owner hark.ID, ttl time.Duration) (Token, error) {
	secret := newSecret()
	hash := hashOf(secret.Reveal())
	expires := hark.Now().Add(ttl)
	row, err := tx.AccessToken.Create().SetIdentityID(owner).SetHash(hash[:]).SetExpiresAt(expires).Save(ctx)
	if err != nil {
		return Token{}, fmt.Errorf("store access token: %w", err)
	}
	t := Token{AccessToken: secret, ExpiresIn: int64(ttl / time.Second), MaxTTL: int64(a.conf.TokenTTL / time.Second)}
	return t, Audit(ctx, tx, action, row.ID.String(), nil, tokenDetail(owner, expires))
}

// Revoke ends the token, which must be valid; streams opened with it end within a second.
func (a *Access) Revoke(ctx context.Context, token string) error {
	v, err := a.Authenticate(ctx, token)
	if err != nil {
		return err
	}
	if v.Issued != nil {
		return notOwn("revoke")
	}
	ctx = hark.WithViewer(ctx, v) // whoever holds a token may end it
	return a.change(ctx, func(tx *ent.Tx) error {
		if err := tx.AccessToken.UpdateOneID(v.TokenID).SetRevokedAt(hark.Now()).Exec(ctx); err != nil {
			return fmt.Errorf("revoke access token: %w", err)
		}
		return Audit(ctx, tx, "revokeAccessToken", v.TokenID.String(), nil, nil)
	})
}

// deleteExpired forgets tokens a day after their end; until then they answer "expired".
func (a *Access) deleteExpired(ctx context.Context) error {
	const batch = 500
	for {
		ids, err := a.store.Ent().AccessToken.Query().
			Where(accesstoken.ExpiresAtGT(0), accesstoken.ExpiresAtLT(hark.Now().Add(-24*time.Hour))).
			Limit(batch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err := a.store.Ent().AccessToken.Delete().Where(accesstoken.IDIn(ids...)).Exec(ctx); err != nil {
			return err
		}
	}
}
