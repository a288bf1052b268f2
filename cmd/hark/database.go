package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hark-events/hark/internal/config"
	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/store"
)

// open opens the database with its keys.
func open(ctx context.Context, d config.Database, log *slog.Logger) (*store.Store, error) {
	keys, err := keyset(d, log)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, d.DatabaseURL, seal.New(keys))
}

// keyset gives the keys of the setting, else of the key file, which it makes
// where there is none.
func keyset(d config.Database, log *slog.Logger) (seal.Keyset, error) {
	if d.EncryptionKeyset != "" {
		keys, err := seal.ParseKeyset(d.EncryptionKeyset)
		if err != nil {
			return seal.Keyset{}, usageError{fmt.Errorf("--encryption-keyset (HARK_ENCRYPTION_KEYSET): %w", err)}
		}
		return keys, nil
	}
	if dir := filepath.Dir(d.KeyFile()); !isFolder(dir) {
		return seal.Keyset{}, usageError{fmt.Errorf("--database-url (HARK_DATABASE_URL): there is no folder %s: make it first", dir)}
	}
	keys, created, err := seal.LoadOrCreate(d.KeyFile())
	if err != nil {
		return seal.Keyset{}, err
	}
	if created {
		log.Info("made a key file: keep it with the database, credentials can't be opened without it", "file", d.KeyFile())
	}
	return keys, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// ready opens the database and makes sure that its schema is this version's:
// SQLite is migrated always, PostgreSQL when asked to.
func ready(ctx context.Context, d config.Database, migrate bool, log *slog.Logger) (*store.Store, error) {
	st, err := open(ctx, d, log)
	if err != nil {
		return nil, err
	}
	if _, sqlite := d.SQLite(); sqlite || migrate {
		err = st.Migrate(ctx)
	} else {
		err = st.Migrated(ctx)
	}
	if err != nil {
		_ = st.Close() // the schema's error is the one to tell
		return nil, err
	}
	return st, nil
}
