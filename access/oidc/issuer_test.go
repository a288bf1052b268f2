package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access/oidc"
)

// provider is an issuer with keys that it publishes.
type provider struct {
	*httptest.Server
	mu       sync.Mutex
	keys     []map[string]any
	document map[string]any
	asked    int // for its keys
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	mux := http.NewServeMux()
	answer := func(get func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			p.mu.Lock()
			defer p.mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(get())
		}
	}
	mux.Handle("/.well-known/openid-configuration", answer(func() any { return p.document }))
	mux.Handle("/keys", answer(func() any { p.asked++; return map[string]any{"keys": p.keys} }))
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	p.document = map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys"}
	return p
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// publish adds the public part of a key.
func (p *provider) publish(id string, key crypto.PublicKey) {
	var w map[string]any
	switch k := key.(type) {
	case *rsa.PublicKey:
		w = map[string]any{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes()), "use": "sig", "alg": "RS256"}
	case *ecdsa.PublicKey:
		raw, _ := k.Bytes()
		w = map[string]any{"kty": "EC", "crv": "P-256", "x": b64(raw[1:33]), "y": b64(raw[33:])}
	}
	w["kid"] = id
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, w)
}

// keysOf are made once: RSA takes its time.
type keysOf struct {
	rsa, foreign *rsa.PrivateKey
	ec           *ecdsa.PrivateKey
}

func newKeys(t *testing.T) keysOf {
	t.Helper()
	var k keysOf
	var errs [3]error
	k.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	k.foreign, errs[1] = rsa.GenerateKey(rand.Reader, 2048)
	k.ec, errs[2] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t *testing.T, method jwt.SigningMethod, kid string, key any, claims jwt.MapClaims, header ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	for i := 0; i+1 < len(header); i += 2 {
		token.Header[header[i]] = []string{header[i+1]}
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const audience = "hark"

// good are claims that pass; more replaces some, nil leaves one out.
func good(issuer string, more jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "ci", "exp": time.Now().Add(time.Hour).Unix(), "roles": []string{"publisher"}}
	maps.Copy(c, more)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func TestTokens(t *testing.T) {
	t.Parallel()
	k, p := newKeys(t), newProvider(t)
	p.publish("rsa", k.rsa.Public())
	p.publish("ec", k.ec.Public())
	issuer := oidc.New(oidc.Config{URL: p.URL, Audience: audience}, p.Client())
	now := time.Now()
	with := func(more jwt.MapClaims) string {
		return sign(t, jwt.SigningMethodRS256, "rsa", k.rsa, good(p.URL, more))
	}
	whole := with(nil)
	parts := strings.Split(whole, ".")
	none := b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	public, _ := k.rsa.Public().(*rsa.PublicKey)
	for name, tt := range map[string]struct {
		token  string
		reason string // empty: it passes
		says   string
	}{
		"RS256":                      {whole, "", "ci [publisher]"},
		"ES256":                      {sign(t, jwt.SigningMethodES256, "ec", k.ec, good(p.URL, nil)), "", "ci [publisher]"},
		"no kid":                     {sign(t, jwt.SigningMethodES256, "", k.ec, good(p.URL, nil)), "", "ci [publisher]"},
		"several audiences":          {with(jwt.MapClaims{"aud": []string{"x", audience}}), "", "ci [publisher]"},
		"one role as text":           {with(jwt.MapClaims{"roles": "viewer"}), "", "ci [viewer]"},
		"no roles":                   {with(jwt.MapClaims{"roles": nil}), "", "ci []"},
		"roles twice":                {with(jwt.MapClaims{"roles": []string{"b", "a", "b"}}), "", "ci [a b]"},
		"clock a little ahead":       {with(jwt.MapClaims{"nbf": now.Add(10 * time.Second).Unix(), "iat": now.Add(10 * time.Second).Unix()}), "", "ci [publisher]"},
		"expired":                    {with(jwt.MapClaims{"exp": now.Add(-time.Second).Unix()}), "expired", "expired"},
		"not valid yet":              {with(jwt.MapClaims{"nbf": now.Add(time.Hour).Unix()}), "not_yet_valid", "not valid yet"},
		"issued tomorrow":            {with(jwt.MapClaims{"iat": now.Add(24 * time.Hour).Unix()}), "not_yet_valid", "future"},
		"roles of which one is none": {with(jwt.MapClaims{"roles": []any{"a", 7}}), "invalid_token", "claim roles"},
		"null roles":                 {with(jwt.MapClaims{"roles": json.RawMessage("null")}), "", "ci []"},
		"no exp":                     {with(jwt.MapClaims{"exp": nil}), "invalid_token", "exp"},
		"exp beyond all times":       {with(jwt.MapClaims{"exp": 1 << 53}), "invalid_token", "exp"},
		"no sub":                     {with(jwt.MapClaims{"sub": nil}), "invalid_token", "sub"},
		"empty sub":                  {with(jwt.MapClaims{"sub": ""}), "invalid_token", "sub"},
		"sub with a line break":      {with(jwt.MapClaims{"sub": "a\nb"}), "invalid_token", "sub"},
		"long sub":                   {with(jwt.MapClaims{"sub": strings.Repeat("x", 300)}), "invalid_token", "sub"},
		"sub that is a number":       {with(jwt.MapClaims{"sub": 7}), "invalid_token", ""},
		"another issuer":             {with(jwt.MapClaims{"iss": "https://evil.example.com"}), "invalid_token", "another issuer"},
		"no issuer":                  {with(jwt.MapClaims{"iss": nil}), "invalid_token", "another issuer"},
		"another audience":           {with(jwt.MapClaims{"aud": "other"}), "invalid_token", "another audience"},
		"no audience":                {with(jwt.MapClaims{"aud": nil}), "invalid_token", "another audience"},
		"roles that are none":        {with(jwt.MapClaims{"roles": 7}), "invalid_token", "claim roles"},
		"too many roles":             {with(jwt.MapClaims{"roles": strings.Split(strings.Repeat("r ", 200), " ")}), "invalid_token", "100"},
		"alg none":                   {none, "invalid_token", "not signed"},
		"alg None":                   {b64([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".", "invalid_token", ""},
		"no signature":               {parts[0] + "." + parts[1] + ".", "invalid_token", "not signed"},
		"another's signature":        {sign(t, jwt.SigningMethodRS256, "rsa", k.foreign, good(p.URL, nil)), "invalid_token", "not signed"},
		"HS256 with the public key":  {sign(t, jwt.SigningMethodHS256, "rsa", public.N.Bytes(), good(p.URL, nil)), "invalid_token", "not signed"},
		"RS512":                      {sign(t, jwt.SigningMethodRS512, "rsa", k.rsa, good(p.URL, nil)), "invalid_token", "not signed"},
		"PS256":                      {sign(t, jwt.SigningMethodPS256, "rsa", k.rsa, good(p.URL, nil)), "invalid_token", "not signed"},
		"unknown kid":                {sign(t, jwt.SigningMethodRS256, "other", k.rsa, good(p.URL, nil)), "invalid_token", "does not publish"},
		"kid of the other kind":      {sign(t, jwt.SigningMethodRS256, "ec", k.rsa, good(p.URL, nil)), "invalid_token", "does not publish"},
		"critical header":            {sign(t, jwt.SigningMethodRS256, "rsa", k.rsa, good(p.URL, nil), "crit", "x"), "invalid_token", "critical"},
		"changed claims":             {parts[0] + "." + b64([]byte(`{"sub":"root"}`)) + "." + parts[2], "invalid_token", "not signed"},
		"claims that are no JSON":    {parts[0] + "." + b64([]byte(`{`)) + "." + parts[2], "invalid_token", "well-formed"},
		"padding":                    {whole + "=", "invalid_token", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := issuer.Verify(t.Context(), tt.token)
			if tt.reason == "" {
				if err != nil || fmt.Sprint(c.Subject, " ", c.Roles) != tt.says {
					t.Errorf("%+v %v", c, err)
				}
				return
			}
			e, ok := errors.AsType[*hark.Error](err)
			if !ok || e.Code != hark.Unauthenticated || e.Details["reason"] != tt.reason || !strings.Contains(e.Message, tt.says) {
				t.Errorf("%+v %v", c, err)
			}
		})
	}
}

// TestRotation: new keys are found, keys that were taken back are not, and
// tokens with a wrong kid don't make hark ask again and again.
func TestRotation(t *testing.T) {
	t.Parallel()
	k, p := newKeys(t), newProvider(t)
	p.publish("first", k.ec.Public())
	clock := time.Now()
	issuer := oidc.NewAt(p.URL, audience, p.Client(), func() time.Time { return clock })
	verify := func(token string) error { _, err := issuer.Verify(t.Context(), token); return err }
	first := sign(t, jwt.SigningMethodES256, "first", k.ec, good(p.URL, nil))
	second := sign(t, jwt.SigningMethodRS256, "second", k.rsa, good(p.URL, nil))
	asked := func(want int) {
		t.Helper()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.asked != want {
			t.Errorf("its keys were asked for %d times, not %d", p.asked, want)
		}
	}
	if err := verify(first); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := verify(second); err == nil {
			t.Error("a key that is not published passes")
		}
	}
	asked(1)
	p.publish("second", k.rsa.Public())
	clock = clock.Add(10 * time.Second)
	if err := verify(second); err != nil {
		t.Error(err)
	}
	asked(2)
	p.mu.Lock()
	p.keys = p.keys[1:]
	p.mu.Unlock()
	if err := verify(first); err != nil {
		t.Error("until the keys are old they are used:", err)
	}
	clock = clock.Add(11 * time.Minute)
	if err := verify(first); err == nil {
		t.Error("a key that was taken back passes")
	}
	asked(3)

	// An issuer that is away costs nothing for an hour.
	p.Close()
	clock = clock.Add(30 * time.Minute)
	if err := verify(second); err != nil {
		t.Error(err)
	}
	clock = clock.Add(time.Hour)
	if err := verify(second); err == nil || strings.Contains(err.Error(), "UNAUTHENTICATED") {
		t.Error(err)
	}
}

func TestProvidersThatAreNone(t *testing.T) {
	t.Parallel()
	k := newKeys(t)
	for name, spoil := range map[string]func(p *provider){
		"another name":      func(p *provider) { p.document["issuer"] = "https://evil.example.com" },
		"no keys":           func(p *provider) { p.keys = nil },
		"weak key":          func(p *provider) { p.keys = []map[string]any{{"kty": "RSA", "n": b64(make([]byte, 64)), "e": "AQAB"}} },
		"a key for sealing": func(p *provider) { p.keys[0]["use"] = "enc" },
		"keys elsewhere":    func(p *provider) { p.document["jwks_uri"] = "file:///etc/passwd" },
		"no point":          func(p *provider) { p.keys[0]["y"] = p.keys[0]["x"] },
		"nothing there":     func(p *provider) { p.document["jwks_uri"] = p.URL + "/absent" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.publish("ec", k.ec.Public())
			spoil(p)
			_, err := oidc.New(oidc.Config{URL: p.URL, Audience: audience}, p.Client()).Verify(t.Context(), sign(t, jwt.SigningMethodES256, "ec", k.ec, good(p.URL, nil)))
			if _, ours := errors.AsType[*hark.Error](err); err == nil || ours {
				t.Error(err)
			}
		})
	}
}

// TestManyAskOnce: a thousand tokens at once cost one request.
func TestManyAskOnce(t *testing.T) {
	t.Parallel()
	k, p := newKeys(t), newProvider(t)
	p.publish("ec", k.ec.Public())
	issuer := oidc.New(oidc.Config{URL: p.URL, Audience: audience}, p.Client())
	token := sign(t, jwt.SigningMethodES256, "ec", k.ec, good(p.URL, nil))
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := issuer.Verify(context.WithoutCancel(t.Context()), token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if p.asked != 1 {
		t.Error(p.asked)
	}
}

func FuzzToken(f *testing.F) {
	f.Add("a.b.c")
	f.Add(b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(`{"iss":"http://127.0.0.1:1","aud":"hark","sub":"x","exp":9999999999}`)) + ".")
	f.Add(b64([]byte(`{"alg":"ES256","kid":[]}`)) + ".e30.AAAA")
	issuer := oidc.New(oidc.Config{URL: "http://127.0.0.1:1", Audience: audience}, &http.Client{Transport: silent{}})
	f.Fuzz(func(t *testing.T, token string) {
		oidc.Looks(token)
		if c, err := issuer.Verify(t.Context(), token); err == nil {
			t.Fatalf("%q passes as %+v", token, c)
		}
	})
}

type silent struct{}

func (silent) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nobody is there")
}
