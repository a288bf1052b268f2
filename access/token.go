package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/hark-events/hark"
)

// prefix marks hark's tokens and client secrets, so that scanners for leaked
// credentials find them.
const prefix = "hark_"

// maxToken bounds the tokens that are looked at, in bytes.
const maxToken = 8 << 10

// newSecret makes a token or client secret: 256 random bits as 48 characters.
func newSecret() hark.Secret {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: it ends the process when the system has no randomness
	return hark.Secret(prefix + base64.RawURLEncoding.EncodeToString(raw[:]))
}

// hashOf is what the database keeps of a secret: 256 random bits need no slow hash.
func hashOf(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// MaxTTL is the longest life that a token or secret can be given: ten years.
const MaxTTL = 315_360_000 * time.Second

// expiryOf gives the end of a life of ttlSeconds from now on; nil: none.
func expiryOf(ttlSeconds *int) (hark.Time, error) {
	if ttlSeconds == nil {
		return 0, nil
	}
	if *ttlSeconds < 1 || int64(*ttlSeconds) > int64(MaxTTL/time.Second) {
		return 0, hark.BadInput("ttlSeconds", "ttlSeconds is between 1 and %d (ten years), or left out for no end", int64(MaxTTL/time.Second))
	}
	return hark.Now().Add(time.Duration(*ttlSeconds) * time.Second), nil
}
