package oidc

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hark-events/hark"
)

// The reasons in Details["reason"] of the UNAUTHENTICATED errors of Verify.
const (
	Invalid     = "invalid_token"
	Expired     = "expired"
	NotYetValid = "not_yet_valid"
)

// skew is by how much the issuer's clock may be ahead.
const skew = 30 * time.Second

// A Config says whose tokens are trusted, and where they say what hark reads.
type Config struct {
	URL      string // of the issuer, as its tokens name it
	Audience string // that tokens must be for

	// Names of claims; dots lead into objects, as in realm_access.roles.
	IdentityClaim string // names the identity; default sub
	RolesClaim    string // names its roles, a list or one text; default roles
}

// An Issuer is trusted to say who somebody is. Its methods may be called from
// many goroutines.
type Issuer struct {
	conf   Config
	parser *jwt.Parser
	keys   *keys
}

// New makes an Issuer. It asks for nothing until a token comes; client makes
// its requests.
func New(c Config, client *http.Client) *Issuer {
	c.IdentityClaim = cmp.Or(c.IdentityClaim, "sub")
	c.RolesClaim = cmp.Or(c.RolesClaim, "roles")
	return &Issuer{
		conf: c, keys: &keys{issuer: c.URL, client: client, now: time.Now},
		parser: jwt.NewParser(jwt.WithValidMethods([]string{rs256, es256}), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding()),
	}
}

// The algorithms that are taken.
const (
	rs256 = "RS256"
	es256 = "ES256"
)

// Looks tells whether a text is a JWT by its form.
func Looks(token string) bool {
	var header jwt.RegisteredClaims
	_, parts, err := jwt.NewParser().ParseUnverified(token, &header)
	return len(parts) == 3 && !errors.Is(err, jwt.ErrTokenMalformed)
}

// Verify gives the claims of a token that the issuer made for this audience and
// that is valid now. Any other is UNAUTHENTICATED with Details["reason"] and a
// message that says why; another error is a failure to ask the issuer.
func (i *Issuer) Verify(ctx context.Context, token string) (*Claims, error) {
	var c claims
	var failure error // to get the keys
	_, err := i.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if _, critical := t.Header["crit"]; critical {
			return nil, errCritical
		}
		kid, _ := t.Header["kid"].(string)
		candidates, err := i.keys.find(ctx, t.Method.Alg(), kid)
		if err != nil {
			failure = err
			return nil, err
		}
		if len(candidates) == 0 {
			return nil, errNoKey
		}
		return jwt.VerificationKeySet{Keys: candidates}, nil
	})
	switch {
	case failure != nil:
		return nil, failure
	case errors.Is(err, errNoKey):
		return nil, refuse(Invalid, "the token is signed with a key that its issuer does not publish")
	case errors.Is(err, errCritical):
		return nil, refuse(Invalid, "the token has critical headers, which hark does not know")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, refuse(Invalid, "the token is no well-formed JWT")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return nil, refuse(Invalid, "the token is not signed by its issuer with RS256 or ES256")
	case err != nil:
		return nil, refuse(Invalid, "the token can't be verified")
	}
	return i.check(&c)
}

var (
	errNoKey    = errors.New("no such key")
	errCritical = errors.New("critical headers")
)

// check holds the claims against the issuer, the audience and the clock.
func (i *Issuer) check(c *claims) (*Claims, error) {
	now := time.Now()
	subject, isText := c.text(i.conf.IdentityClaim)
	roles, areTexts := c.texts(i.conf.RolesClaim)
	switch {
	case c.Issuer != i.conf.URL:
		return nil, refuse(Invalid, "the token is of another issuer")
	case !slices.Contains(c.Audience, i.conf.Audience):
		return nil, refuse(Invalid, "the token is for another audience")
	case c.ExpiresAt == nil:
		return nil, refuse(Invalid, "the token has no claim exp")
	case !isText || hark.CheckName("", subject, maxSubject) != nil:
		return nil, refuse(Invalid, "the token has no claim %s of 1 to %d characters", i.conf.IdentityClaim, maxSubject)
	case !c.ExpiresAt.After(now):
		return nil, refuse(Expired, "the token has expired: log in again")
	case c.NotBefore != nil && c.NotBefore.After(now.Add(skew)):
		return nil, refuse(NotYetValid, "the token is not valid yet")
	case c.IssuedAt != nil && c.IssuedAt.After(now.Add(skew)):
		return nil, refuse(NotYetValid, "the token was issued in the future: set the clocks")
	case !areTexts:
		return nil, refuse(Invalid, "the token's claim %s is neither a text nor a list of texts", i.conf.RolesClaim)
	case len(roles) > maxRoles:
		return nil, refuse(Invalid, "the token has more than %d roles", maxRoles)
	}
	slices.Sort(roles)
	expires := hark.TimeOf(c.ExpiresAt.Time)
	if expires.IsZero() {
		return nil, refuse(Invalid, "the token's claim exp is beyond the year 2261")
	}
	return &Claims{Subject: subject, Roles: slices.Compact(roles), ExpiresAt: expires}, nil
}

func refuse(reason, format string, args ...any) error {
	e := hark.Errorf(hark.Unauthenticated, format, args...)
	e.Details = map[string]any{"reason": reason}
	return e
}

// fits tells whether a key is for an algorithm.
func fits(key any, alg string) bool {
	switch key.(type) {
	case *rsa.PublicKey:
		return alg == rs256
	case *ecdsa.PublicKey:
		return alg == es256
	}
	return false
}
