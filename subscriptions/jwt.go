package subscriptions

import (
	"github.com/golang-jwt/jwt/v5"

	"github.com/hark-events/hark"
)

// TokenExpiry is the exp claim of a JWT, or none. The token is the
// subscriber's: hark can't verify it, and does not need to.
func TokenExpiry(token hark.Secret) hark.Time {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token.Reveal(), &claims); err != nil || claims.ExpiresAt == nil {
		return 0
	}
	return hark.TimeOf(claims.ExpiresAt.Time)
}
