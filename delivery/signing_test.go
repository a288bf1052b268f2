package delivery_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

func TestEverySecretSigns(t *testing.T) {
	t.Parallel()
	s := &hark.Subscription{
		SigningSecrets: []hark.Secret{delivery.NewSigningSecret(), delivery.NewSigningSecret()}, PreviousUntil: hark.Now().Add(time.Minute),
	}
	now, body := time.Now().Unix(), []byte(`{"a":1}`)
	signature, err := delivery.Signer{}.Sign(s, "msg", now, body)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	header.Set("webhook-id", "msg")
	header.Set("webhook-timestamp", strconv.FormatInt(now, 10))
	header.Set("webhook-signature", signature)
	for i, secret := range s.SigningSecrets {
		verifier, err := standardwebhooks.NewWebhook(secret.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(body, header); err != nil {
			t.Errorf("secret %d: %v", i, err)
		}
		if verifier.Verify([]byte(`{"a":2}`), header) == nil {
			t.Errorf("secret %d: another body passes", i)
		}
	}
}

func TestThePreviousSecretStopsSigning(t *testing.T) {
	t.Parallel()
	until := hark.TimeOf(time.Unix(1000, 0))
	s := &hark.Subscription{SigningSecrets: []hark.Secret{delivery.NewSigningSecret(), delivery.NewSigningSecret()}, PreviousUntil: until}
	for timestamp, want := range map[int64]int{999: 2, 1000: 1, 1001: 1} {
		signature, err := delivery.Signer{}.Sign(s, "msg", timestamp, nil)
		if n := len(strings.Fields(signature)); err != nil || n != want {
			t.Errorf("at %d: %d signatures, %v; want %d", timestamp, n, err, want)
		}
	}
}

func TestEd25519(t *testing.T) {
	t.Parallel()
	public, private, _ := ed25519.GenerateKey(nil)
	s := &hark.Subscription{Signature: hark.Ed25519}
	signature, err := delivery.Signer{Key: private}.Sign(s, "msg", 7, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1a,"))
	if !ed25519.Verify(public, []byte("msg.7.body"), raw) {
		t.Errorf("signature %q does not verify", signature)
	}
	if _, err := (delivery.Signer{}).Sign(s, "msg", 7, nil); err == nil {
		t.Error("signed without a key")
	}
}

func TestSignWithoutUsableSecret(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]hark.Secret{nil, {"whsec_not base64!"}} {
		_, err := delivery.Signer{}.Sign(&hark.Subscription{SigningSecrets: secrets}, "msg", 7, nil)
		if err == nil || strings.Contains(err.Error(), "not base64!") {
			t.Errorf("error %v", err)
		}
	}
}
