package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// A webKey is one of a JSON Web Key Set (RFC 7517, 7518).
type webKey struct {
	ID    string `json:"kid"`
	Type  string `json:"kty"`
	Use   string `json:"use"`
	Alg   string `json:"alg"`
	Curve string `json:"crv"`
	N     string `json:"n"`
	E     string `json:"e"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// Sizes of RSA keys in bits: less is broken, more only costs.
const (
	minRSA = 2048
	maxRSA = 8192
)

// public gives the key; not ok when it is not for RS256 or ES256.
func (w *webKey) public() (key jwt.VerificationKey, ok bool) {
	if w.Use != "" && w.Use != "sig" {
		return nil, false
	}
	switch {
	case w.Type == "RSA" && (w.Alg == "" || w.Alg == rs256):
		n, e := number(w.N), number(w.E)
		if n == nil || e == nil || n.BitLen() < minRSA || n.BitLen() > maxRSA || e.BitLen() > 31 || e.Bit(0) == 0 || e.Cmp(big.NewInt(3)) < 0 {
			return nil, false
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}, true
	case w.Type == "EC" && w.Curve == "P-256" && (w.Alg == "" || w.Alg == es256):
		point := append([]byte{4}, append(coordinate(w.X), coordinate(w.Y)...)...)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		return key, err == nil
	}
	return nil, false
}

func number(text string) *big.Int {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

// coordinate gives the 32 bytes of a coordinate; nothing if they are not.
func coordinate(text string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 32 {
		return nil
	}
	return b
}
