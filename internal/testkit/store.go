package testkit

import (
	"testing"

	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/store"
)

// Store opens a new, migrated SQLite database, closed with the test.
func Store(t testing.TB) *store.Store {
	t.Helper()
	return OpenStore(t, "sqlite://"+t.TempDir()+"/hark.db")
}

// PostgresStore opens a new, migrated PostgreSQL database, closed with the test.
func PostgresStore(t testing.TB) *store.Store {
	t.Helper()
	return OpenStore(t, Postgres(t))
}

// OpenStore opens and migrates the database that url names; it is closed with the test.
func OpenStore(t testing.TB, url string) *store.Store {
	t.Helper()
	return OpenSealed(t, url, seal.New(seal.NewKeyset()))
}

// OpenSealed is OpenStore for a database of which several nodes know the keys.
func OpenSealed(t testing.TB, url string, sealer *seal.Sealer) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), url, sealer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return st
}

// Stores runs a test on both databases.
func Stores(t *testing.T, test func(t *testing.T, st *store.Store)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": Store, "postgres": PostgresStore} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}
