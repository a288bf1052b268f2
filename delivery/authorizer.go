package delivery

import (
	"context"
	"encoding/base64"
	"net/http"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hark-events/hark"
)

// maxTokens is how many subscriptions' OAuth2 tokens are kept.
const maxTokens = 10_000

// An Authorizer knows the header with which a callback proves itself. One serves
// all drivers, so that they share its OAuth2 tokens.
type Authorizer struct {
	client *http.Client

	mu     sync.Mutex
	tokens *simplelru.LRU[hark.ID, *tokenSource]
}

// NewAuthorizer makes an Authorizer that fetches OAuth2 tokens by client, which
// must be the guarded one and follow no redirect: a token URL is a user's input.
func NewAuthorizer(client *http.Client) *Authorizer {
	tokens, _ := simplelru.NewLRU[hark.ID, *tokenSource](maxTokens, nil) // fails for a size below 1 only
	return &Authorizer{client: client, tokens: tokens}
}

// Header returns the name and value of the header that the credentials of s go
// into. For OAUTH2 it fetches a token unless one is kept; an error of that is
// worth a retry, says "token", and holds no secret.
func (a *Authorizer) Header(ctx context.Context, s *hark.Subscription) (name, value string, err error) {
	switch c := &s.Credentials; c.Type {
	case hark.Basic:
		return "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password.Reveal())), nil
	case hark.JWT:
		return "Authorization", "Bearer " + c.Token.Reveal(), nil
	case hark.APIKey:
		return c.HeaderName, c.Key.Reveal(), nil
	case hark.OAuth2:
		value, err = a.source(s).header(ctx)
		return "Authorization", value, err
	}
	return "", "", Permanent(hark.Errorf(hark.Internal, "no such kind of credentials: %q", s.Credentials.Type))
}

// Renew is for an answer of 401 to the header value refused. It tells whether
// Header may now give another one: with OAUTH2, after it has dropped the token.
func (a *Authorizer) Renew(s *hark.Subscription, refused string) bool {
	if s.Credentials.Type != hark.OAuth2 {
		return false
	}
	a.source(s).drop(refused)
	return true
}

// source returns the token source for s as it is now.
func (a *Authorizer) source(s *hark.Subscription) *tokenSource {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens.Get(s.ID)
	if !ok || t.version != s.Version {
		t = newTokenSource(a.client, s)
		a.tokens.Add(s.ID, t)
	}
	return t
}
