package store_test

import (
	"sync"
	"testing"

	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestAllNodesHaveOneSigningKey(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		var keys [4]*store.SigningKey
		var all sync.WaitGroup
		for i := range keys {
			all.Go(func() {
				var err error
				if keys[i], err = st.SigningKey(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, k := range keys {
			private, err := k.Open()
			if err != nil || !k.Public.Equal(keys[0].Public) || !k.Public.Equal(private.Public()) {
				t.Errorf("keys differ, or %v", err)
			}
		}
	})
}

func TestALostKeyTakesTheSigningKeyWithIt(t *testing.T) {
	t.Parallel()
	url := "sqlite://" + t.TempDir() + "/hark.db"
	before, err := testkit.OpenSealed(t, url, seal.New(seal.NewKeyset())).SigningKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after, err := testkit.OpenSealed(t, url, seal.New(seal.NewKeyset())).SigningKey(t.Context())
	if err != nil || !after.Public.Equal(before.Public) {
		t.Fatalf("the public key is another one, or %v", err)
	}
	if _, err := after.Open(); err == nil {
		t.Error("the private key opens without its key")
	}
}
