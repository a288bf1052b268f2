package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/singleflight"

	"github.com/hark-events/hark"
)

const (
	// tokenTimeout bounds the fetching of a token, which several attempts may wait for.
	tokenTimeout = hark.DefaultTimeout
	// tokenMargin is how long before its end a token is no longer used.
	tokenMargin = 60 * time.Second
)

// A tokenSource keeps the OAuth2 token of one version of a subscription.
type tokenSource struct {
	version int64
	client  *http.Client
	conf    clientcredentials.Config // keeps the way of authentication that worked
	fetches singleflight.Group

	mu      sync.Mutex
	value   string // the header's; empty: none
	usable  time.Time
	forever bool // the server set no end
}

func newTokenSource(client *http.Client, s *hark.Subscription) *tokenSource {
	c := &s.Credentials
	return &tokenSource{version: s.Version, client: client, conf: clientcredentials.Config{
		ClientID:     c.ClientID,
		ClientSecret: c.ClientSecret.Reveal(),
		TokenURL:     c.TokenURL,
		Scopes:       strings.Fields(c.Scope),
	}}
}

// header returns the value of Authorization. One request at a time fetches a
// token; it goes on without the caller, because others may wait for it.
func (t *tokenSource) header(ctx context.Context) (string, error) {
	if value := t.kept(); value != "" {
		return value, nil
	}
	fetched := t.fetches.DoChan("", func() (any, error) {
		if value := t.kept(); value != "" { // fetched since we looked
			return value, nil
		}
		return t.fetch(context.WithoutCancel(ctx))
	})
	started := time.Now()
	select {
	case r := <-fetched:
		value, _ := r.Val.(string)
		return value, r.Err
	case <-ctx.Done():
		return "", errors.New(Explain(ctx.Err(), "waiting for the token server", time.Since(started)))
	}
}

func (t *tokenSource) kept() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.forever || time.Now().Before(t.usable) {
		return t.value
	}
	return ""
}

// drop forgets the token, unless it is another one by now.
func (t *tokenSource) drop(refused string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == refused {
		t.value = ""
	}
}

func (t *tokenSource) fetch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	started := time.Now()
	token, err := t.conf.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // oauth2 hides it when it ends while the answer is read
		}
		return "", explainToken(err, time.Since(started))
	}
	value := token.Type() + " " + token.AccessToken
	if checkText("", "", value, maxToken) != nil {
		return "", errors.New("the token server's access_token does not fit into a header")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.value, t.usable, t.forever = value, token.Expiry.Add(-tokenMargin), token.Expiry.IsZero()
	return value, nil
}

// explainToken leaves out what the token server wrote but for its error code
// (RFC 6749, section 5.2): a server may repeat what it was sent.
func explainToken(err error, took time.Duration) error {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		if strings.HasPrefix(err.Error(), "oauth2: ") { // an answer that is none; may quote it
			return errors.New("the token server's answer holds no access_token")
		}
		return errors.New("token server: " + Explain(err, "waiting for the token server", took))
	}
	switch e.ErrorCode {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return fmt.Errorf("the token server answered %d: %s", e.Response.StatusCode, e.ErrorCode)
	}
	return fmt.Errorf("the token server answered %d", e.Response.StatusCode)
}
