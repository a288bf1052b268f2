package main

import (
	"context"
	"fmt"

	"github.com/hark-events/hark/internal/config"
)

type migrateCmd struct {
	config.Database
	config.Log
}

// Help shows an example.
func (migrateCmd) Help() string {
	return "Several nodes may migrate at once: one works, the others wait.\n\nExample:\n  HARK_ENCRYPTION_KEYSET=$(cat keyset) hark migrate --database-url=postgres://hark@127.0.0.1/hark"
}

// Run migrates the database.
func (c *migrateCmd) Run(ctx context.Context, std stdio) error {
	if err := c.Database.Validate(); err != nil {
		return usageError{err}
	}
	log := newLog(std.err, c.Log)
	st, err := ready(ctx, c.Database, true, log)
	if err != nil {
		return err
	}
	fmt.Fprintln(std.err, "The database has this version's schema.")
	return st.Close()
}
