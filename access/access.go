// Package access decides who calls and what they may see and do: identities, tokens, roles and rules.
package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access/oidc"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/store"
)

// Config tunes an Access. The zero value of a field means its default.
type Config struct {
	TokenTTL time.Duration // of access tokens from universal auth; default 2h
	Issuer   Issuer        // whose JWTs are taken beside hark's own tokens; nil: nobody's

	AuditRetention time.Duration // of the audit log; default 90 days
}

// An Issuer knows the JWTs of an identity provider. *oidc.Issuer is one.
type Issuer interface {
	// Verify gives the claims of a token, else UNAUTHENTICATED with
	// Details["reason"], or the failure to find out.
	Verify(ctx context.Context, token string) (*oidc.Claims, error)
}

// Access turns tokens into viewers, viewers into compiled rules, and keeps what
// both are made of. Its methods may be called from many goroutines.
//
// What it has read it keeps until the revision of access moves. Every change
// made here raises the revision in its own transaction and holds on this node
// at once; Run looks for the changes of other nodes twice a second. While the
// revision can't be read, nothing kept is used for longer than a second.
type Access struct {
	store  *store.Store
	log    *slog.Logger
	conf   Config
	fields map[string]hark.Action

	refusals refusals
	cache    *cache
	sets     *sets
	loads    singleflight.Group
	watches  watches
	used     used
	orphans  chan struct{} // a project was deleted: its rows are to be swept
}

// New makes an Access on a migrated database. It starts nothing; see Run.
func New(s *store.Store, log *slog.Logger, c Config) *Access {
	if c.TokenTTL <= 0 {
		c.TokenTTL = 2 * time.Hour
	}
	if c.AuditRetention <= 0 {
		c.AuditRetention = 90 * 24 * time.Hour
	}
	return &Access{
		store: s, log: log, conf: c, fields: Fields(),
		cache: newCache(), sets: newSets(), orphans: make(chan struct{}, 1),
	}
}

// Intervals of Run.
const (
	pollEvery  = 500 * time.Millisecond
	flushEvery = 10 * time.Second
	tidyEvery  = time.Hour
)

// Run follows the changes of other nodes, records when tokens were used, and
// clears away expired tokens and the rows of deleted projects, until ctx ends.
func (a *Access) Run(ctx context.Context) error {
	var g errgroup.Group
	for _, job := range []struct {
		what  string
		every time.Duration
		wake  <-chan struct{}
		do    func(context.Context) error
	}{
		{"follow changes of access", pollEvery, nil, a.poll},
		{"record the use of tokens", flushEvery, nil, a.flushUsed},
		{"record refusals", flushEvery, nil, a.flushRefusals},
		{"clear away", tidyEvery, a.orphans, a.tidy},
	} {
		g.Go(func() error {
			tick := time.NewTicker(job.every)
			defer tick.Stop()
			for failing := false; ctx.Err() == nil; {
				err := job.do(ctx)
				if err != nil && !failing && ctx.Err() == nil { // told once, not at every tick
					a.log.Error("access: "+job.what, "err", err)
				}
				failing = err != nil
				select {
				case <-ctx.Done():
				case <-tick.C:
				case <-job.wake:
				}
			}
			return nil
		})
	}
	err := g.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := errors.Join(a.flushUsed(last), a.flushRefusals(last)); err != nil {
		a.log.Error("access: record what was noted", "err", err)
	}
	return err
}

// poll drops what is kept when the revision has moved.
func (a *Access) poll(ctx context.Context) error {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, fresh)
	defer cancel()
	revision, err := a.store.Revision(ctx, store.Access)
	if err != nil {
		return err
	}
	if a.cache.confirm(revision, asked) {
		a.watches.wake()
	}
	return nil
}

// change runs f in a transaction that raises the revision. The revision's row,
// which is taken first, makes all changes of access follow one another, so
// what f reads stays true until it commits.
func (a *Access) change(ctx context.Context, f func(tx *ent.Tx) error) error {
	var revision int64
	err := a.store.Tx(ctx, func(tx *ent.Tx) error {
		if err := store.RaiseRevision(ctx, tx, store.Access); err != nil {
			return err
		}
		row, err := tx.Revision.Get(ctx, store.Access)
		if err != nil {
			return fmt.Errorf("read the revision of access: %w", err)
		}
		revision = row.Value
		return f(tx)
	})
	if err != nil {
		return classify(err)
	}
	a.cache.raised(revision)
	a.watches.wake()
	return nil
}

// classify turns what ent says into what a caller may know.
func classify(err error) error {
	if _, ok := errors.AsType[*hark.Error](err); ok {
		return err // said better already
	}
	switch {
	case ent.IsNotFound(err):
		return &hark.Error{Code: hark.NotFound, Message: "there is no such record", Err: err}
	case ent.IsConstraintError(err):
		return &hark.Error{Code: hark.Conflict, Message: "the change conflicts with an existing record", Err: err}
	}
	return err
}

// tidy clears away what nobody needs any more.
func (a *Access) tidy(ctx context.Context) error {
	if err := a.deleteExpired(ctx); err != nil {
		return fmt.Errorf("expired tokens: %w", err)
	}
	if err := a.deleteOldAudit(ctx); err != nil {
		return fmt.Errorf("old audit entries: %w", err)
	}
	if err := a.sweep(ctx); err != nil {
		return fmt.Errorf("deleted projects: %w", err)
	}
	return nil
}
