package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hark-events/hark/internal/config"
	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/store"
)

// open opens the database with its keys.
func open(ctx context.Context, d config.Database, log *slog.Logger) (*store.Store, error) {
	sealer, err := keys(ctx, d, log)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, d.DatabaseURL, sealer)
}

// keys gives the keys of the setting, else of the key file, which it makes where
// there is none.
func keys(ctx context.Context, d config.Database, log *slog.Logger) (*seal.Sealer, error) {
	if d.EncryptionKeyset != "" {
		return givenKeys(d)
	}
	if dir := filepath.Dir(d.KeyFile()); !isFolder(dir) {
		return nil, usageError{fmt.Errorf("--database-url (HARK_DATABASE_URL): there is no folder %s: make it first", dir)}
	}
	sealer, err := seal.OpenFile(d.KeyFile())
	if !errors.Is(err, fs.ErrNotExist) {
		return sealer, err
	}
	// New keys beside an old database would open nothing of it.
	sealed, err := sealedWith(ctx, d)
	if err != nil {
		return nil, err
	}
	if len(sealed) > 0 {
		return nil, fmt.Errorf("the key file %s is gone, and the database holds credentials sealed with %s: bring the file back, or set HARK_ENCRYPTION_KEYSET if it was in use"+
			" (to give these credentials up, make a new one: hark keys new > %[1]s && chmod 600 %[1]s)",
			d.KeyFile(), strings.Join(slices.Sorted(maps.Keys(sealed)), ", "))
	}
	if _, created, err := seal.LoadOrCreate(d.KeyFile()); err != nil {
		return nil, err
	} else if created {
		log.Info("made a key file: keep it with the database, credentials can't be opened without it", "file", d.KeyFile())
	}
	return seal.OpenFile(d.KeyFile())
}

// givenKeys gives the keys of the setting.
func givenKeys(d config.Database) (*seal.Sealer, error) {
	k, err := seal.ParseKeyset(d.EncryptionKeyset)
	if err != nil {
		return nil, usageError{fmt.Errorf("--encryption-keyset (HARK_ENCRYPTION_KEYSET): %w", err)}
	}
	return seal.New(k), nil
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
