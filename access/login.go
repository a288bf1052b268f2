package access

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/accesstoken"
	"github.com/hark-events/hark/ent/clientsecret"
)

// A Token is an access token as universal auth answers with it.
type Token struct {
	AccessToken hark.Secret
	ExpiresIn   int64 // seconds until it ends
	MaxTTL      int64 // the longest life of any token from universal auth, in seconds
}

// Login gives an access token for a client id and one of its secrets. A wrong
// id, a wrong secret and one that expired or was revoked all answer the same
// UNAUTHENTICATED, after the same work.
func (a *Access) Login(ctx context.Context, clientID, clientSecret string) (Token, error) {
	refused := &hark.Error{
		Code: hark.Unauthenticated, Message: "the client id and the client secret do not go together, or the secret has ended",
		Details: map[string]any{"reason": "invalid_credentials"},
	}
	if len(clientSecret) > maxToken {
		return Token{}, refused
	}
	wanted, err := hark.ParseID(clientID)
	hash := hashOf(clientSecret)
	row, errRead := a.store.Ent().ClientSecret.Query().Where(clientsecret.Hash(hash[:])).Only(ctx)
	switch {
	case ent.IsNotFound(errRead):
		return Token{}, refused
	case errRead != nil:
		return Token{}, fmt.Errorf("read client secret: %w", errRead)
	case err != nil,
		subtle.ConstantTimeCompare(row.Hash, hash[:]) != 1,
		subtle.ConstantTimeCompare(row.IdentityID[:], wanted[:]) != 1,
		!row.RevokedAt.IsZero(),
		!row.ExpiresAt.IsZero() && row.ExpiresAt <= hark.Now():
		return Token{}, refused
	}
	// Not a change of access: a token that nobody has used is in no cache.
	t, err := a.issue(ctx, row.IdentityID, a.conf.TokenTTL)
	if ent.IsConstraintError(err) { // the identity was deleted meanwhile
		return Token{}, refused
	}
	return t, err
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
	return a.issue(ctx, row.IdentityID, ttl)
}

func notOwn(what string) error {
	return hark.BadInput("accessToken", "an identity provider made this token: %s it there", what)
}

func (a *Access) issue(ctx context.Context, owner hark.ID, ttl time.Duration) (Token, error) {
	secret := newSecret()
	hash := hashOf(secret.Reveal())
	err := a.store.Ent().AccessToken.Create().SetIdentityID(owner).SetHash(hash[:]).
		SetExpiresAt(hark.Now().Add(ttl)).Exec(ctx)
	if err != nil {
		return Token{}, fmt.Errorf("store access token: %w", err)
	}
	return Token{AccessToken: secret, ExpiresIn: int64(ttl / time.Second), MaxTTL: int64(a.conf.TokenTTL / time.Second)}, nil
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
