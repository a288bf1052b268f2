package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// How old keys may be.
const (
	freshFor = 10 * time.Minute // then they are asked for anew
	validFor = time.Hour        // while the issuer does not answer
	pause    = 10 * time.Second // between two requests, whatever tokens come
)

// Limits of a request to the issuer.
const (
	fetchTimeout = 5 * time.Second
	maxDocument  = 1 << 20 // bytes
)

// keys are an issuer's public keys, fetched when they are needed.
type keys struct {
	issuer string
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	set     []publicKey
	fetched time.Time     // when set was; zero: never
	tried   time.Time     // when it was asked for last
	err     error         // of that
	asking  chan struct{} // closed when a request that is under way ends; nil: none is
}

type publicKey struct {
	id  string
	key jwt.VerificationKey
}

// find gives the keys for an algorithm that have an id; an empty id means all.
// What is not there is asked for, but not more often than once in ten seconds.
// While old keys are asked for anew they go on being used.
func (k *keys) find(ctx context.Context, alg, id string) ([]jwt.VerificationKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := k.look(alg, id)
	switch now := k.now(); {
	case len(found) > 0 && now.Sub(k.fetched) <= freshFor:
		return found, nil
	case k.asking != nil && len(found) == 0:
		asking := k.asking
		k.mu.Unlock()
		select {
		case <-asking:
		case <-ctx.Done():
		}
		k.mu.Lock()
	case k.asking == nil && (k.tried.IsZero() || now.Sub(k.tried) >= pause):
		k.ask(ctx)
	}
	if k.err != nil && (k.fetched.IsZero() || k.now().Sub(k.fetched) > validFor) {
		return nil, fmt.Errorf("ask the OIDC issuer for its keys: %w", k.err)
	}
	return k.look(alg, id), ctx.Err()
}

// ask fetches the keys. It is called with mu held, and lets go of it meanwhile.
func (k *keys) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout) // others wait for it too
	defer cancel()
	k.asking = make(chan struct{})
	k.mu.Unlock()
	set, err := k.fetch(ctx)
	k.mu.Lock()
	k.tried, k.err = k.now(), err
	if err == nil {
		k.set, k.fetched = set, k.tried
	}
	close(k.asking)
	k.asking = nil
}

func (k *keys) look(alg, id string) (found []jwt.VerificationKey) {
	for _, key := range k.set {
		if fits(key.key, alg) && (id == "" || key.id == id) {
			found = append(found, key.key)
		}
	}
	return found
}

// fetch asks for the issuer's document, and for the keys that it points to.
func (k *keys) fetch(ctx context.Context) ([]publicKey, error) {
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := k.get(ctx, strings.TrimSuffix(k.issuer, "/")+"/.well-known/openid-configuration", &document); err != nil {
		return nil, err
	}
	if document.Issuer != k.issuer {
		return nil, fmt.Errorf("it calls itself %.200q", document.Issuer)
	}
	if u, err := url.Parse(document.JWKSURI); err != nil || u.Scheme != "https" && !(u.Scheme == "http" && strings.HasPrefix(k.issuer, "http://")) {
		return nil, errors.New("its jwks_uri is no https URL")
	}
	var set struct {
		Keys []webKey `json:"keys"`
	}
	if err := k.get(ctx, document.JWKSURI, &set); err != nil {
		return nil, err
	}
	var out []publicKey
	for _, w := range set.Keys {
		if key, ok := w.public(); ok { // others are not for signatures that hark takes
			out = append(out, publicKey{w.ID, key})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("it publishes no key for RS256 or ES256")
	}
	return out, nil
}

func (k *keys) get(ctx context.Context, address string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	resp, err := k.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || !strings.HasSuffix(media, "json") {
		return fmt.Errorf("%s answers %s with %.100q, not JSON", address, resp.Status, media)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	if err != nil {
		return fmt.Errorf("read %s: %w", address, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}
