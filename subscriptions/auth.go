package subscriptions

import (
	"github.com/golang-jwt/jwt/v5"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// Auth tells what of a subscription's credentials is no secret, also when the
// key that seals them is lost: CONFLICT only if it is of a row from before this
// was kept in the clear.
func (s *Service) Auth(row *ent.EventSubscription) (*hark.Auth, error) {
	if row.Auth != nil {
		return row.Auth, nil
	}
	c, err := s.store.OpenCredentials(row.ID, row.Credentials)
	if err != nil {
		return nil, err
	}
	return shown(c), nil
}

func shown(c *hark.Credentials) *hark.Auth {
	return &hark.Auth{
		Type: c.Type, Username: c.Username, ClientID: c.ClientID, TokenURL: c.TokenURL, Scope: c.Scope,
		ExpiresAt: tokenExpiry(c.Token), HeaderName: c.HeaderName,
	}
}

// tokenExpiry is the exp claim of a JWT, or none. The token is the
// subscriber's: hark can't verify it, and does not need to.
func tokenExpiry(token hark.Secret) hark.Time {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token.Reveal(), &claims); err != nil || claims.ExpiresAt == nil {
		return 0
	}
	return hark.TimeOf(claims.ExpiresAt.Time)
}
