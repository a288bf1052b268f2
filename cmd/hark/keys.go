package main

import (
	"fmt"

	"github.com/hark-events/hark/internal/seal"
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
