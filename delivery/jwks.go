package delivery

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
)

// jwksMaxAge is how long a receiver may keep the answer of JWKS, in seconds.
const jwksMaxAge = 3600

// JWKS publishes the key that verifies v1a signatures, as a JWK Set (RFC 7517)
// with one Ed25519 key (RFC 8037), whose kid is its thumbprint (RFC 7638).
func JWKS(key ed25519.PublicKey) http.Handler {
	x := base64.RawURLEncoding.EncodeToString(key)
	thumb := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	body := fmt.Appendf(nil, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":%q,"kid":%q,"use":"sig","alg":"EdDSA"}]}`+"\n",
		x, base64.RawURLEncoding.EncodeToString(thumb[:]))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", jwksMaxAge))
		w.Header().Set("Access-Control-Allow-Origin", "*") // it is public
		_, _ = w.Write(body)                               // the receiver has gone
	})
}
