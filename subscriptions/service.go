// Package subscriptions manages the standing orders: who gets which events, where, and what became of each delivery.
package subscriptions

import (
	"context"
	"errors"
	"log/slog"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/store"
)

// An Authority says what the caller of a request may do. *access.Access is one.
type Authority interface {
	// Require returns UNAUTHENTICATED, FORBIDDEN, or NOT_FOUND for a project
	// that the caller may not see, unless the caller may do a in the project.
	Require(ctx context.Context, a hark.Action, project hark.ID) error
	// Projects lists the projects in which the caller may do a or, if all is
	// true, those in which it may not.
	Projects(ctx context.Context, a hark.Action) (all bool, ids []hark.ID, err error)
	// Permitted says for which events of a project the caller may do a.
	Permitted(ctx context.Context, a hark.Action, project hark.ID) (allows func(*hark.Event) bool, err error)
	// Subscribable returns FORBIDDEN unless the caller may SUBSCRIBE_EVENTS to
	// some event of each registration, and says to which.
	Subscribable(ctx context.Context, project hark.ID, register []hark.Registration) (allows func(*hark.Event) bool, class any, err error)
	// Standing is a number that grows, within a second, whenever an answer of
	// Owners may have changed.
	Standing(ctx context.Context) (int64, error)
	// Owners says for each owner of subscriptions which events of a project it
	// may have, now.
	Owners(ctx context.Context, project hark.ID, owners []hark.ID) (map[hark.ID]func(*hark.Event) bool, error)
	// Audit notes in tx that the caller did something to target. The detail, nil
	// or what marshals to JSON, has no secret.
	Audit(ctx context.Context, tx *ent.Tx, action, target string, project *hark.ID, detail any) error
}

// Config is what a Service needs beside its rooms.
type Config struct {
	CheckURL func(raw string, schemes ...string) error // refuses what callbacks can never reach
	Wake     func()                                    // hints to the worker that deliveries are due, or no longer
}

// A Service manages subscriptions and their deliveries, for callers who may.
type Service struct {
	store     *store.Store
	authority Authority
	drivers   delivery.Drivers
	log       *slog.Logger
	conf      Config
	labels    labels
	rows      *lookup[ent.EventSubscription] // with project and definitions
	events    *lookup[hark.Event]
}

// New makes a Service. Drivers are asked what they could deliver.
func New(st *store.Store, a Authority, d delivery.Drivers, log *slog.Logger, c Config) *Service {
	return &Service{store: st, authority: a, drivers: d, log: log, conf: c, rows: rowLookup(st), events: eventLookup(st)}
}

var (
	errNone = hark.Errorf(hark.NotFound, "no such subscription")
	errSame = errors.New("nothing changes") // ends a transaction that need not be committed
)

// row finds a subscription with its project and definitions, if the caller may
// do a in its project, else NOT_FOUND or FORBIDDEN.
func (s *Service) row(ctx context.Context, a hark.Action, id hark.ID) (*ent.EventSubscription, error) {
	row, err := s.rows.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, errNone
	}
	if err := s.authority.Require(ctx, a, row.ProjectID); err != nil {
		if e, ok := errors.AsType[*hark.Error](err); ok && e.Code == hark.NotFound {
			return nil, errNone
		}
		return nil, err
	}
	return row, nil
}

// change runs f in a transaction that changes a subscription of the project.
// The project's counter row comes first: from then on no publish of the project
// commits before this does, and the next one matches against the change.
func (s *Service) change(ctx context.Context, action string, id, project hark.ID, f func(*ent.Tx) error) error {
	return s.store.Tx(ctx, func(tx *ent.Tx) error {
		if err := store.RaiseVersion(ctx, tx, project); err != nil {
			return err
		}
		before, err := audit(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		after, err := audit(ctx, tx, id)
		if err != nil {
			return err
		}
		return s.authority.Audit(ctx, tx, action, id.String(), &project, auditedChange{before, after})
	})
}

// edit runs f on a subscription that the caller may manage, as it is inside of
// the transaction: whatever else changes it comes before or after. When f
// returns errSame, nothing is changed and nothing audited.
func (s *Service) edit(ctx context.Context, action string, id hark.ID, f func(*ent.Tx, *ent.EventSubscription) error) (*ent.EventSubscription, error) {
	found, err := s.row(ctx, hark.ManageSubscriptions, id)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, action, id, found.ProjectID, func(tx *ent.Tx) error {
		row, err := tx.EventSubscription.Query().Where(eventsubscription.ID(id)).WithEventDefinitions().Only(ctx)
		if ent.IsNotFound(err) {
			return errNone
		}
		if err != nil {
			return err
		}
		return f(tx, row)
	})
	if err != nil && !errors.Is(err, errSame) {
		return nil, err
	}
	return s.again(ctx, id)
}

// again reads a subscription after a change.
func (s *Service) again(ctx context.Context, id hark.ID) (*ent.EventSubscription, error) {
	row, err := s.rows.get(ctx, id)
	if err == nil && row == nil { // deleted since
		return nil, errNone
	}
	return row, err
}
