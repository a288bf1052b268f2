package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
)

// version is the first byte of every sealed value. Then come the key's id (4
// bytes), the nonce (12), and the sealed text with its tag (16 more than plain).
const version = 1

const headerBytes = 1 + idBytes

// A Sealer seals and opens values. It is safe for concurrent use.
type Sealer struct {
	first [idBytes]byte
	// Nil: no such key. A function, for the reason that Keyset has.
	aead func(id [idBytes]byte) cipher.AEAD
}

// ErrBroken is what Open gives for a value that was changed, cut, never sealed,
// or sealed with other associated data.
var ErrBroken = errors.New("the sealed value was changed or belongs to another place")

// An UnknownKeyError is what Open gives for a value whose key is missing.
type UnknownKeyError struct {
	ID string // as Keyset.IDs gives them
}

func (e *UnknownKeyError) Error() string {
	return "sealed with key " + e.ID + ", which is not in the keyset"
}

// New makes a Sealer. It panics when k is the zero Keyset.
func New(k Keyset) *Sealer {
	keys := k.all()
	aeads := make(map[[idBytes]byte]cipher.AEAD, len(keys))
	for _, key := range keys {
		aeads[key.id()] = newAEAD(key)
	}
	return &Sealer{
		first: keys[0].id(),
		aead:  func(id [idBytes]byte) cipher.AEAD { return aeads[id] },
	}
}

// newAEAD takes a new random nonce for each value: good for 2^32 values a key.
func newAEAD(k key) cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic("seal: " + err.Error()) // it has 32 bytes
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error()) // it is AES
	}
	return a
}

// Seal seals plain, which becomes 33 bytes longer. It opens with the same ad
// only: give what tells its place, such as the id of its row, so that a value
// that was moved does not open.
func (s *Sealer) Seal(plain, ad []byte) []byte {
	a := s.aead(s.first)
	sealed := make([]byte, 0, headerBytes+len(plain)+a.Overhead())
	sealed = append(append(sealed, version), s.first[:]...)
	return a.Seal(sealed, nil, plain, withHeader(sealed, ad))
}

// Open gives what was sealed. Errors: *UnknownKeyError, ErrBroken.
func (s *Sealer) Open(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < headerBytes || sealed[0] != version {
		return nil, ErrBroken
	}
	id := [idBytes]byte(sealed[1:])
	a := s.aead(id)
	if a == nil {
		return nil, &UnknownKeyError{ID: hex.EncodeToString(id[:])}
	}
	plain, err := a.Open(nil, nil, sealed[headerBytes:], withHeader(sealed[:headerBytes], ad))
	if err != nil {
		return nil, ErrBroken
	}
	return plain, nil
}

// withHeader puts the header under the seal too. Its length is fixed, so it
// cannot be taken for a part of ad.
func withHeader(header, ad []byte) []byte {
	return append(append(make([]byte, 0, headerBytes+len(ad)), header...), ad...)
}
