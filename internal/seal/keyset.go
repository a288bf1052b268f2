// Package seal keeps credentials unreadable at rest: AES-256-GCM under a keyset that can be rotated.
package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Keyset is the keys that seal credentials. The first one seals; all of them
// open. As text it is one line:
//
//	hark1:<id>:<key>[,<id>:<key>]…
//
// A key is 32 random bytes in base64 (URL alphabet, no padding). Its id is the
// first 4 bytes of its SHA-256 in hexadecimal, so that a key which was cut or
// mistyped is noticed when it is read, not when a value does not open.
//
// Printed, logged or marshalled a Keyset does not show its keys: only Reveal
// does. The zero Keyset has none and is of no use.
type Keyset struct {
	// A function, because fmt reaches everything else that an unexported field
	// of another struct leads to, and calls no methods on the way. Nil: no keys.
	keys func() []key
}

type key [32]byte

const (
	keysetPrefix = "hark1:"
	idBytes      = 4
)

// keyText has the alphabet of URLs; strict, so that a key has one text.
func keyText() *base64.Encoding { return base64.RawURLEncoding.Strict() }

func newKey() (k key) {
	// crypto/rand.Read never fails: it ends the process when the system has no randomness.
	_, _ = rand.Read(k[:])
	return k
}

func (k key) id() [idBytes]byte {
	sum := sha256.Sum256(k[:])
	return [idBytes]byte(sum[:])
}

// NewKeyset makes a Keyset of one new key.
func NewKeyset() Keyset { return Keyset{}.Rotate() }

// ParseKeyset reads what Reveal gave; white space around it is left out. An
// error names the place of the bad key and shows none.
func ParseKeyset(text string) (Keyset, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Keyset{}, errors.New("the keyset is empty: make one with hark keys new")
	}
	list, ok := strings.CutPrefix(text, keysetPrefix)
	if !ok {
		return Keyset{}, fmt.Errorf("the keyset does not begin with %s (hark keys new makes one)", keysetPrefix)
	}
	var keys []key
	for part := range strings.SplitSeq(list, ",") {
		k, err := parseKey(part)
		if err == nil && slices.Contains(keys, k) {
			err = errors.New("is there twice: remove one of them")
		}
		if err != nil {
			return Keyset{}, fmt.Errorf("key %d of the keyset %w", len(keys)+1, err)
		}
		keys = append(keys, k)
	}
	return keysetOf(keys), nil
}

// parseKey's errors go on after "key 1 of the keyset".
func parseKey(text string) (k key, err error) {
	id, secret, ok := strings.Cut(text, ":")
	if !ok {
		return key{}, errors.New("has no id: write <id>:<key>")
	}
	b, err := keyText().DecodeString(secret)
	if err != nil || len(b) != len(k) || strings.ContainsAny(secret, "\r\n") { // base64 skips line breaks
		return key{}, fmt.Errorf("is not %d bytes in base64: it was cut or changed", len(k))
	}
	k = key(b)
	if want := k.id(); id != hex.EncodeToString(want[:]) {
		return key{}, errors.New("does not fit its id: one of them was cut or changed")
	}
	return k, nil
}

// Rotate gives a Keyset with a new first key, in front of those of k.
//
// Every node must have the new key before the first of them seals with it: one
// that has not cannot open what others seal. Prepare and then Promote see to that.
func (k Keyset) Rotate() Keyset { return k.Prepare().Promote() }

// Prepare gives a Keyset with a new last key, which opens and does not seal.
func (k Keyset) Prepare() Keyset {
	return keysetOf(append(slices.Clone(k.all()), newKey()))
}

// Promote gives a Keyset whose last key is the first one.
func (k Keyset) Promote() Keyset {
	keys := k.all()
	last := len(keys) - 1
	return keysetOf(append([]key{keys[last]}, keys[:last]...))
}

// IDs are the ids of the keys, the one that seals first. They are no secret.
func (k Keyset) IDs() []string {
	var ids []string
	for _, key := range k.all() {
		id := key.id()
		ids = append(ids, hex.EncodeToString(id[:]))
	}
	return ids
}

// Reveal gives the keyset as text, keys and all.
func (k Keyset) Reveal() string {
	var b strings.Builder
	sep := keysetPrefix
	for _, key := range k.all() {
		id := key.id()
		b.WriteString(sep + hex.EncodeToString(id[:]) + ":" + keyText().EncodeToString(key[:]))
		sep = ","
	}
	return b.String()
}

// Format prints "[redacted]" whatever the verb.
func (Keyset) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText gives "[redacted]"; it never fails.
func (Keyset) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "[redacted]"

func keysetOf(keys []key) Keyset { return Keyset{keys: func() []key { return keys }} }

func (k Keyset) all() []key {
	if k.keys == nil {
		return nil
	}
	return k.keys()
}
