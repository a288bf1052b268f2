package store

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// signingKeyID is the id of the one signing key.
const signingKeyID = "01980000-0000-7000-8000-000000000003"

// A SigningKey is the Ed25519 key with which all nodes sign callbacks.
type SigningKey struct {
	Public ed25519.PublicKey

	row   *ent.SigningKey
	store *Store
}

// SigningKey gives the signing key. The first node that asks makes it.
func (s *Store) SigningKey(ctx context.Context) (*SigningKey, error) {
	id := hark.MustParseID(signingKeyID)
	row, err := s.client.SigningKey.Get(ctx, id)
	if ent.IsNotFound(err) {
		row, err = s.makeSigningKey(ctx, id)
	}
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return &SigningKey{row.PublicKey, row, s}, nil
}

func (s *Store) makeSigningKey(ctx context.Context, id hark.ID) (*ent.SigningKey, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	row, err := s.client.SigningKey.Create().SetID(id).SetPublicKey(public).SetPrivateKey(s.sealer.Seal(private.Seed(), id[:])).Save(ctx)
	if ent.IsConstraintError(err) { // another node was faster
		return s.client.SigningKey.Get(ctx, id)
	}
	return row, err
}

// Open gives the private key; an error, which holds until the operator brings it
// back, when the key that seals it is lost.
func (k *SigningKey) Open() (ed25519.PrivateKey, error) {
	seed, err := k.store.sealer.Open(k.row.PrivateKey, k.row.ID[:])
	if err != nil {
		return nil, fmt.Errorf("open the signing key: %w", err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("open the signing key: %d bytes", len(seed))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
