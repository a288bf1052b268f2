package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
)

// version is the first byte of every sealed value. Then come the key's id (4
// bytes), the nonce (12), and the sealed text with its tag (16 more than plain).
const version = 1

const headerBytes = 1 + idBytes

// A Sealer seals and opens values. It is safe for concurrent use.
type Sealer struct {
	keys atomic.Pointer[keyring]
	file string // where Refresh looks; empty: nowhere

	refreshing sync.Mutex
	seen       fs.FileInfo // the key file as it was last read
}

// A keyring is a Keyset made ready.
type keyring struct {
	ids   []string
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
	s := &Sealer{}
	s.keys.Store(newKeyring(k))
	return s
}

func newKeyring(k Keyset) *keyring {
	keys := k.all()
	aeads := make(map[[idBytes]byte]cipher.AEAD, len(keys))
	for _, key := range keys {
		aeads[key.id()] = newAEAD(key)
	}
	return &keyring{
		ids:   k.IDs(),
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
	keys := s.keys.Load()
	a := keys.aead(keys.first)
	sealed := make([]byte, 0, headerBytes+len(plain)+a.Overhead())
	sealed = append(append(sealed, version), keys.first[:]...)
	return a.Seal(sealed, nil, plain, withHeader(sealed, ad))
}

// Open gives what was sealed. Errors: *UnknownKeyError, ErrBroken.
func (s *Sealer) Open(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < headerBytes || sealed[0] != version {
		return nil, ErrBroken
	}
	id := [idBytes]byte(sealed[1:])
	a := s.keys.Load().aead(id)
	if a == nil { // another process may have sealed it, with a key that it added to the file
		if _, err := s.Refresh(); err == nil {
			a = s.keys.Load().aead(id)
		}
	}
	if a == nil {
		return nil, &UnknownKeyError{ID: hex.EncodeToString(id[:])}
	}
	plain, err := a.Open(nil, nil, sealed[headerBytes:], withHeader(sealed[:headerBytes], ad))
	if err != nil {
		return nil, ErrBroken
	}
	return plain, nil
}

// IDs are the ids of the keys, the one that seals first. They are no secret.
func (s *Sealer) IDs() []string { return slices.Clone(s.keys.Load().ids) }

// Header is what every value begins with that the first key has sealed.
func (s *Sealer) Header() []byte {
	first := s.keys.Load().first
	return append([]byte{version}, first[:]...)
}

// withHeader puts the header under the seal too. Its length is fixed, so it
// cannot be taken for a part of ad.
func withHeader(header, ad []byte) []byte {
	return append(append(make([]byte, 0, headerBytes+len(ad)), header...), ad...)
}
