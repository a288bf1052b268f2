package access

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access/oidc"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/accesstoken"
	"github.com/hark-events/hark/ent/identity"
	"github.com/hark-events/hark/ent/predicate"
)

// The reasons in Details["reason"] of an UNAUTHENTICATED error.
const (
	InvalidToken = "invalid_token"
	Expired      = "expired"
	Revoked      = "revoked"
)

func unauthenticated(reason string) error {
	message := map[string]string{
		InvalidToken: "the access token is not valid: log in again or ask for a new one",
		Expired:      "the access token has expired: log in again or renew it in time",
		Revoked:      "the access token was revoked: log in again or ask for a new one",
	}[reason]
	return &hark.Error{Code: hark.Unauthenticated, Message: message, Details: map[string]any{"reason": reason}}
}

// Authenticate gives the viewer that an access token stands for, else
// UNAUTHENTICATED with Details["reason"]. A token that is in use costs no query.
func (a *Access) Authenticate(ctx context.Context, token string) (*hark.Viewer, error) {
	if token == "" || len(token) > maxToken {
		return nil, unauthenticated(InvalidToken)
	}
	hash := hashOf(token)
	e, ok := a.cache.byHash.Get(hash)
	if !ok || !a.cache.usable(e.generation, e.read) || e.viewer.Issued != nil && time.Since(e.read) > verifiedFor {
		var err error
		if a.conf.Issuer != nil && oidc.Looks(token) {
			e, err = a.verify(ctx, token, hash)
		} else {
			e, err = a.once(ctx, string(hash[:]), func(ctx context.Context) (*entry, error) {
				return a.load(ctx, accesstoken.Hash(hash[:]))
			})
		}
		if err != nil {
			return nil, err
		}
	}
	if expired(e.viewer) {
		return nil, unauthenticated(Expired)
	}
	a.used.note(e)
	return e.viewer, nil
}

// Reauthorize gives the viewer as its token and its identity's roles are now,
// else UNAUTHENTICATED as Authenticate does. Many streams of one token cost one query.
func (a *Access) Reauthorize(ctx context.Context, v *hark.Viewer) (*hark.Viewer, error) {
	e, ok := a.cache.byID.Get(v.TokenID)
	if !ok || !a.cache.usable(e.generation, e.read) {
		var err error
		e, err = a.once(ctx, v.TokenID.String(), func(ctx context.Context) (*entry, error) {
			if v.Issued != nil {
				return a.loadIssued(ctx, v)
			}
			return a.load(ctx, accesstoken.ID(v.TokenID))
		})
		if err != nil {
			return nil, err
		}
	}
	if expired(e.viewer) {
		return nil, unauthenticated(Expired)
	}
	return e.viewer, nil
}

// readTimeout ends a read that many callers may wait for.
const readTimeout = 5 * time.Second

// once reads for all who ask for the same at once. Who joins a read begins no
// earlier than it: the key has the generation.
func (a *Access) once(ctx context.Context, what string, read func(context.Context) (*entry, error)) (*entry, error) {
	key := strconv.FormatInt(a.cache.generation.Load(), 10) + " " + what
	e, err, _ := a.loads.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout) // others wait for it too
		defer cancel()
		return read(ctx)
	})
	if err != nil {
		return nil, err
	}
	return e.(*entry), nil
}

// load reads a token with all that its identity holds.
func (a *Access) load(ctx context.Context, which predicate.AccessToken) (*entry, error) {
	generation, read := a.cache.generation.Load(), time.Now() // before the read: a change meanwhile makes it stale
	row, err := a.store.Ent().AccessToken.Query().Where(which).WithIdentity(withGrants).Only(ctx)
	switch {
	case ent.IsNotFound(err):
		return nil, unauthenticated(InvalidToken)
	case err != nil:
		return nil, fmt.Errorf("read access token: %w", err)
	case !row.RevokedAt.IsZero():
		return nil, unauthenticated(Revoked)
	}
	e := &entry{viewer: viewerOf(row), generation: generation, read: read}
	e.lastUsed.Store(int64(row.LastUsedAt))
	if !expired(e.viewer) {
		a.cache.put([32]byte(row.Hash), e)
	}
	return e, nil
}

func withGrants(q *ent.IdentityQuery) {
	q.WithGrants(func(q *ent.RoleGrantQuery) { q.WithRole() })
}

func viewerOf(row *ent.AccessToken) *hark.Viewer {
	return &hark.Viewer{
		IdentityID: row.IdentityID, Name: row.Edges.Identity.Name,
		TokenID: row.ID, ExpiresAt: row.ExpiresAt,
		Grants: grantsOf(row.Edges.Identity.Edges.Grants),
	}
}

// grantsOf converts grants that were read with their roles.
func grantsOf(rows []*ent.RoleGrant) []hark.Grant {
	grants := make([]hark.Grant, 0, len(rows))
	for _, r := range rows {
		grants = append(grants, grantOf(r.Edges.Role, scopeOf(r.ProjectID)))
	}
	return grants
}

// used collects when tokens were used, to be written in batches.
type used struct {
	mu     sync.Mutex
	tokens map[hark.ID]hark.ID // token to identity
}

// note marks a token as used now, at most once a minute.
func (u *used) note(e *entry) {
	now, last := hark.Now(), e.lastUsed.Load()
	if now.Sub(hark.Time(last)) < time.Minute || !e.lastUsed.CompareAndSwap(last, int64(now)) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tokens == nil {
		u.tokens = make(map[hark.ID]hark.ID)
	}
	u.tokens[e.viewer.TokenID] = e.viewer.IdentityID
}

// flushUsed writes what was noted. What it fails to write is forgotten: the
// token's next use a minute later is noted again.
func (a *Access) flushUsed(ctx context.Context) error {
	a.used.mu.Lock()
	tokens := a.used.tokens
	a.used.tokens = nil
	a.used.mu.Unlock()
	const batch = 500
	var ids, identities []hark.ID
	write := func() error {
		if len(ids) == 0 {
			return nil
		}
		now := hark.Now()
		err := a.store.Tx(ctx, func(tx *ent.Tx) error {
			if err := tx.AccessToken.Update().Where(accesstoken.IDIn(ids...)).SetLastUsedAt(now).Exec(ctx); err != nil {
				return err
			}
			return tx.Identity.Update().Where(identity.IDIn(identities...)).SetLastUsedAt(now).Exec(ctx)
		})
		ids, identities = ids[:0], identities[:0]
		return err
	}
	for id, owner := range tokens {
		if ids, identities = append(ids, id), append(identities, owner); len(ids) == batch {
			if err := write(); err != nil {
				return err
			}
		}
	}
	return write()
}
