package delivery

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hark-events/hark"
)

// secretPrefix marks a signing secret of Standard Webhooks; base64 follows.
const secretPrefix = "whsec_"

// NewSigningSecret makes a signing secret of 32 random bytes, "whsec_…".
// Standard Webhooks asks for 24 to 64.
func NewSigningSecret() hark.Secret {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return hark.Secret(secretPrefix + base64.StdEncoding.EncodeToString(key[:]))
}

// A Signer signs callbacks as in Standard Webhooks 1.0.0. The zero Signer knows
// HMAC_SHA256 only.
type Signer struct {
	// Key signs for subscriptions with the scheme ED25519. Nil: there are none.
	Key ed25519.PrivateKey
}

// Check refuses a subscription that Sign could not sign for.
func (g Signer) Check(s *hark.Subscription) error {
	switch {
	case s.Signature == "" || s.Signature == hark.HMACSHA256:
		return nil
	case s.Signature == hark.Ed25519 && g.Key != nil:
		return nil
	case s.Signature == hark.Ed25519:
		return hark.BadInput("signature", "this server has no Ed25519 key: use HMAC_SHA256")
	}
	return hark.BadInput("signature", "signature is HMAC_SHA256 or ED25519")
}

// Sign returns the value of webhook-signature for a message with the given
// webhook-id, webhook-timestamp (Unix seconds) and body: one signature for each
// of the subscription's secrets that counts at that time, so that a receiver
// finds its own while a rotation overlaps.
func (g Signer) Sign(s *hark.Subscription, id string, timestamp int64, body []byte) (string, error) {
	head := append(strconv.AppendInt(append([]byte(id), '.'), timestamp, 10), '.')
	if s.Signature == hark.Ed25519 {
		if g.Key == nil {
			return "", errors.New("sign: this server has no Ed25519 key")
		}
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(g.Key, append(head, body...))), nil
	}
	if len(s.SigningSecrets) == 0 {
		return "", errors.New("sign: the subscription has no signing secret")
	}
	var out []byte
	for i, secret := range s.SigningSecrets {
		if i > 0 && timestamp >= s.PreviousUntil.Time().Unix() {
			break // this copy of the subscription is older than the end of the overlap
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Reveal(), secretPrefix))
		if err != nil {
			return "", fmt.Errorf("sign: signing secret %d is no base64", i+1) // without err, which quotes
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(head)
		mac.Write(body)
		if i > 0 {
			out = append(out, ' ')
		}
		var sum [sha256.Size]byte
		out = base64.StdEncoding.AppendEncode(append(out, "v1,"...), mac.Sum(sum[:0]))
	}
	return string(out), nil
}
