package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/internal/config"
)

type tokenCreateCmd struct {
	config.Database
	config.Log

	Name string        `help:"Name of the new identity." required:"" placeholder:"NAME" env:"-"`
	Role string        `help:"Role of the identity, in all projects. Default: none." placeholder:"ROLE" env:"-"`
	TTL  time.Duration `help:"Lifetime of the token. Default: it does not expire." placeholder:"DURATION" env:"-"`
}

// Help shows an example.
func (tokenCreateCmd) Help() string {
	return "The token goes to stdout, alone; it is not shown again.\n\nExample:\n  TOKEN=$(hark token create --name ci --role admin --ttl 24h)"
}

// Run makes the identity and its token.
func (c *tokenCreateCmd) Run(ctx context.Context, std stdio) error {
	if err := c.Database.Validate(); err != nil {
		return usageError{err}
	}
	if c.TTL < 0 {
		return usageError{errors.New("--ttl is negative")}
	}
	log := newLog(std.err, c.Log)
	st, err := ready(ctx, c.Database, false, log)
	if err != nil {
		return err
	}
	token, err := access.New(st, log, access.Config{}).CreateToken(byCommand(ctx, "hark token create"), c.Name, c.Role, c.TTL)
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, token.Reveal())
	return err
}
