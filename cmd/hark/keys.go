package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/config"
	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/store"
)

type keysNewCmd struct{}

// Help shows an example.
func (keysNewCmd) Help() string {
	return "One line of text; it is also what the key file holds.\n\nExample:\n  export HARK_ENCRYPTION_KEYSET=$(hark keys new)"
}

// Run prints a new keyset.
func (keysNewCmd) Run(std stdio) error {
	_, err := fmt.Fprintln(std.out, seal.NewKeyset().Reveal())
	return err
}

type keysListCmd struct{ config.Database }

// Help shows an example.
func (keysListCmd) Help() string {
	return "For each key its id, whether it seals, only opens or is missing, and how many values in the database are sealed with it. A key that seals nothing any more may be taken out of the keyset.\n\nExample:\n  hark keys list --database-url=sqlite://hark.db"
}

// Run lists the keys.
func (c *keysListCmd) Run(ctx context.Context, std stdio) error {
	sealer, err := presentKeys(c.Database)
	if err != nil {
		return err
	}
	sealed, err := sealedWith(ctx, c.Database)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "KEY\tUSE\tVALUES") // Flush tells
	for i, id := range sealer.IDs() {
		use := "opens"
		if i == 0 {
			use = "seals"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\n", id, use, sealed[id])
		delete(sealed, id)
	}
	for _, id := range slices.Sorted(maps.Keys(sealed)) {
		_, _ = fmt.Fprintf(w, "%s\tmissing\t%d\n", id, sealed[id])
	}
	return w.Flush()
}

type keysRotateCmd struct {
	config.Database
	Step string `enum:"both,prepare,promote" default:"both" help:"With HARK_ENCRYPTION_KEYSET: prepare adds a key that only opens, promote makes the last key the one that seals; both does both."`
}

// Help shows an example.
func (keysRotateCmd) Help() string {
	return "Adds a key, which seals from now on; those that there were go on opening.\n\n" +
		"With a key file, the file is changed and everything in the database is sealed anew; a server that runs on it goes on and takes the new key by itself.\n\n" +
		"With HARK_ENCRYPTION_KEYSET, the new keyset is printed: give it to all nodes and restart them, and they seal everything anew in the background. A node that still has the old keyset can't open what others seal with the new key. Where nodes are restarted one after the other, give all of them the keyset of --step=prepare first, and then that of --step=promote.\n\n" +
		"Examples:\n  hark keys rotate --database-url=sqlite://hark.db\n  HARK_ENCRYPTION_KEYSET=… hark keys rotate --step=prepare --database-url=postgres://…"
}

// Run adds a key.
func (c *keysRotateCmd) Run(ctx context.Context, std stdio) error {
	ctx = byCommand(ctx, "hark keys rotate")
	if c.Step != "both" && c.EncryptionKeyset == "" {
		return usageError{errors.New("--step is for HARK_ENCRYPTION_KEYSET: a key file is changed at once, for every process that reads it")}
	}
	sealer, err := presentKeys(c.Database)
	if err != nil {
		return err
	}
	before := sealer.IDs()
	if c.EncryptionKeyset != "" {
		return c.rotateSetting(ctx, std, before)
	}
	keys, err := seal.RotateFile(c.KeyFile())
	if err != nil {
		return err
	}
	if _, err := sealer.Refresh(); err != nil {
		return err
	}
	st, err := openPresent(ctx, c.Database, sealer)
	if st == nil || err != nil {
		return err
	}
	n, err := c.reseal(ctx, std, st, before, keys.IDs())
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	fmt.Fprintf(std.err, "key %s seals from now on; %d values are sealed anew\n", keys.IDs()[0], n)
	return nil
}

// reseal seals everything with a new key, and puts both into the audit log.
func (c *keysRotateCmd) reseal(ctx context.Context, std stdio, st *store.Store, before, after []string) (n int, err error) {
	audit := keyAudit{st}
	if err := audit.rotated(ctx, before, after); err != nil {
		return 0, err
	}
	n, err = st.Reseal(ctx, func(table string, id hark.ID, err error) {
		fmt.Fprintf(std.err, "hark: %s %s can't be opened: %v\n", table, id, err)
	})
	if n > 0 {
		err = errors.Join(err, audit.sealed(ctx, after[0], n))
	}
	return n, err
}

// rotateSetting prints the keyset that the setting is to become. It needs no
// database: nodes will tell the audit log when they seal with the key.
func (c *keysRotateCmd) rotateSetting(ctx context.Context, std stdio, before []string) error {
	keys, err := seal.ParseKeyset(c.EncryptionKeyset)
	if err != nil {
		return err
	}
	switch c.Step {
	case "prepare":
		keys = keys.Prepare()
	case "promote":
		keys = keys.Promote()
	default:
		keys = keys.Rotate()
	}
	st, err := openPresent(ctx, c.Database, nil)
	if st != nil {
		err = errors.Join(keyAudit{st}.rotated(ctx, before, keys.IDs()), st.Close())
	}
	if err != nil {
		fmt.Fprintf(std.err, "hark: the audit log does not tell of it: %v\n", err)
	}
	_, err = fmt.Fprintln(std.out, keys.Reveal())
	return err
}

// presentKeys gives the keys that there are, and makes none.
func presentKeys(d config.Database) (*seal.Sealer, error) {
	if err := d.Validate(); err != nil {
		return nil, usageError{err}
	}
	if d.EncryptionKeyset == "" {
		return seal.OpenFile(d.KeyFile())
	}
	return givenKeys(d)
}

// sealedWith counts the values in a database, if there is one, by key.
func sealedWith(ctx context.Context, d config.Database) (map[string]int, error) {
	st, err := openPresent(ctx, d, nil)
	if st == nil || err != nil {
		return nil, err
	}
	keys, err := st.SealedWith(ctx)
	return keys, errors.Join(err, st.Close())
}

// openPresent opens a database that is there, else it gives nil: where no
// SQLite file is, opening would make one.
func openPresent(ctx context.Context, d config.Database, sealer *seal.Sealer) (*store.Store, error) {
	if path, ok := d.SQLite(); ok {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	return store.Open(ctx, d.DatabaseURL, sealer)
}
