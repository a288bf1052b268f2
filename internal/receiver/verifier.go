package receiver

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// tolerance is how far a timestamp may be from now, as Standard Webhooks' libraries have it.
const tolerance = 5 * time.Minute

// A Verifier checks signatures of Standard Webhooks. The zero Verifier checks none.
type Verifier struct {
	secrets []*standardwebhooks.Webhook // of v1
	keys    []ed25519.PublicKey         // of v1a
}

// NewVerifier makes a Verifier that takes what any of the secrets ("whsec_…")
// has signed, or any of the keys.
func NewVerifier(secrets []string, keys []ed25519.PublicKey) (Verifier, error) {
	v := Verifier{keys: keys}
	for _, s := range secrets {
		w, err := standardwebhooks.NewWebhook(s)
		if err != nil || !strings.HasPrefix(s, "whsec_") {
			return Verifier{}, errors.New("a signing secret is whsec_ and base64") // without err, which may quote it
		}
		v.secrets = append(v.secrets, w)
	}
	return v, nil
}

// verify tells about the signature of body in words, and whether that is good enough.
func (v Verifier) verify(header func(string) string, body []byte) (words string, ok bool) {
	if len(v.secrets) == 0 && len(v.keys) == 0 {
		return "not checked", true
	}
	h := http.Header{}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		h.Set(name, header(name))
	}
	err := errors.New("no matching signature found")
	for _, w := range v.secrets {
		if err = w.Verify(body, h); err == nil {
			return "verified", true
		}
	}
	for _, key := range v.keys {
		if verifyEd25519(key, h, body) {
			return "verified", true
		}
	}
	return strings.TrimPrefix(err.Error(), "unable to verify payload, err: "), false
}

func verifyEd25519(key ed25519.PublicKey, h http.Header, body []byte) bool {
	timestamp := h.Get("webhook-timestamp")
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > tolerance {
		return false
	}
	signed := append([]byte(h.Get("webhook-id")+"."+timestamp+"."), body...)
	for s := range strings.FieldsSeq(h.Get("webhook-signature")) {
		text, found := strings.CutPrefix(s, "v1a,")
		signature, err := base64.StdEncoding.DecodeString(text)
		if found && err == nil && ed25519.Verify(key, signed, signature) {
			return true
		}
	}
	return false
}

// FetchKeys gets the Ed25519 keys of the JWK Set at url, such as hark's at
// /.well-known/hark/jwks.json.
func FetchKeys(ctx context.Context, url string) ([]ed25519.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, headerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct{ Kty, Crv, X string }
	}
	if err := json.Unmarshal(body, &set); err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s and no JWK Set", url, resp.Status)
	}
	var keys []ed25519.PublicKey
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if k.Kty == "OKP" && k.Crv == "Ed25519" && err == nil && len(x) == ed25519.PublicKeySize {
			keys = append(keys, x)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s has no Ed25519 key", url)
	}
	return keys, nil
}
