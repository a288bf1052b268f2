package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
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

// Limits of claims.
const (
	maxSubject = hark.MaxName // characters
	maxRoles   = 100
)

// Claims are what hark reads of a token.
type Claims struct {
	Subject   string
	Roles     []string // sorted, each once; of the claim "roles", a list or one text
	ExpiresAt hark.Time
}

// An Issuer is trusted to say who somebody is. Its methods may be called from
// many goroutines.
type Issuer struct {
	url      string
	audience string
	parser   *jwt.Parser
	keys     *keys
}

// New makes an Issuer whose tokens are for an audience. It asks for nothing
// until a token comes; client makes its requests.
func New(url, audience string, client *http.Client) *Issuer {
	return &Issuer{
		url: url, audience: audience, keys: &keys{issuer: url, client: client, now: time.Now},
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
	switch {
	case c.Issuer != i.url:
		return nil, refuse(Invalid, "the token is of another issuer")
	case !slices.Contains(c.Audience, i.audience):
		return nil, refuse(Invalid, "the token is for another audience")
	case c.ExpiresAt == nil:
		return nil, refuse(Invalid, "the token has no claim exp")
	case hark.CheckName("", c.Subject, maxSubject) != nil:
		return nil, refuse(Invalid, "the token has no claim sub of 1 to %d characters", maxSubject)
	case !c.ExpiresAt.After(now):
		return nil, refuse(Expired, "the token has expired: log in again")
	case c.NotBefore != nil && c.NotBefore.After(now.Add(skew)):
		return nil, refuse(NotYetValid, "the token is not valid yet")
	case c.IssuedAt != nil && c.IssuedAt.After(now.Add(skew)):
		return nil, refuse(NotYetValid, "the token was issued in the future: set the clocks")
	case len(c.Roles) > maxRoles:
		return nil, refuse(Invalid, "the token has more than %d roles", maxRoles)
	}
	slices.Sort(c.Roles)
	expires := hark.TimeOf(c.ExpiresAt.Time)
	if expires.IsZero() {
		return nil, refuse(Invalid, "the token's claim exp is beyond the year 2261")
	}
	return &Claims{Subject: c.Subject, Roles: slices.Compact([]string(c.Roles)), ExpiresAt: expires}, nil
}

func refuse(reason, format string, args ...any) error {
	e := hark.Errorf(hark.Unauthenticated, format, args...)
	e.Details = map[string]any{"reason": reason}
	return e
}

// claims are those of the token's text.
type claims struct {
	jwt.RegisteredClaims
	Roles texts `json:"roles"`
}

// texts is a list of texts, or one alone.
type texts []string

// UnmarshalJSON reads both forms.
func (ts *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*ts = nil
		if one != "" {
			*ts = texts{one}
		}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(ts))
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
