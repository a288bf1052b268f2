package events

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/batch"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/store"
)

// An Authority says what the caller of a request may do. *access.Access is one.
type Authority interface {
	// Permitted says for which events of a project the caller may do a. Its
	// errors are UNAUTHENTICATED, FORBIDDEN, and NOT_FOUND for a project that
	// the caller may not see.
	Permitted(ctx context.Context, a hark.Action, project hark.ID) (allows func(*hark.Event) bool, err error)
	// RequireGlobal returns FORBIDDEN unless the caller may do a in every project.
	RequireGlobal(ctx context.Context, a hark.Action) error
	// RequireSome returns FORBIDDEN unless the caller may do a in some project.
	RequireSome(ctx context.Context, a hark.Action) error
	// Audit notes in tx that the caller did something to target. The detail is
	// nil or marshals to JSON.
	Audit(ctx context.Context, tx *ent.Tx, action, target string, project *hark.ID, detail any) error
	// Standing is a number that grows, within a second, whenever an answer of
	// Owners may have changed.
	Standing(ctx context.Context) (int64, error)
	// Owners says for each owner of subscriptions which events of a project it
	// may have, now.
	Owners(ctx context.Context, project hark.ID, owners []hark.ID) (map[hark.ID]func(*hark.Event) bool, error)
}

// A Starter begins deliveries that were born leased to this node.
// *delivery.Worker is one.
type Starter interface {
	// Reserve takes a place for a delivery that is about to be committed, and
	// says for how long it is leased; not ok when it must wait for its turn.
	Reserve(subscription hark.ID, version int64) (lease time.Duration, ok bool)
	// Unreserve gives n places back: the transaction failed.
	Unreserve(subscription hark.ID, n int)
	// Start begins committed deliveries that have places.
	Start([]*hark.Delivery)
	// Due tells that deliveries which Reserve refused are committed.
	Due()
}

// Config tunes a Publisher.
type Config struct {
	Retention time.Duration // how long an idempotency key counts
	Starter   Starter       // nil: no deliveries are made on this node
	Observe   func(Commit)  // nil: nobody counts
}

// A Commit is one transaction of the group commit, for metrics.
type Commit struct {
	Requests, Events, Deliveries int
	Duration                     time.Duration
	Err                          error
}

// A Publisher stores events and announces them. One transaction at a time runs
// on each node; while it does, the next one fills.
type Publisher struct {
	store     *store.Store
	catalog   *Catalog
	authority Authority
	broker    pubsub.Broker
	log       *slog.Logger
	conf      Config
	group     *batch.Group[*request]

	mu      sync.Mutex
	indexes map[hark.ID]*index
}

// A request is a publish on its way into a transaction.
type request struct {
	store.Append
	revision int64 // of the definitions that it was checked against
}

// A batch holds at most so many units; an event weighs one for each
// unitBytes of payload begun. So it is 1,000 events or 4 MiB.
const (
	batchUnits = 1000
	unitBytes  = 4 << 10
)

// NewPublisher makes a Publisher.
func NewPublisher(st *store.Store, c *Catalog, a Authority, b pubsub.Broker, log *slog.Logger, conf Config) *Publisher {
	p := &Publisher{store: st, catalog: c, authority: a, broker: b, log: log, conf: conf, indexes: map[hark.ID]*index{}}
	p.group = batch.New(batchUnits, batchUnits, weight, p.commit)
	return p
}

func weight(r *request) (units int) {
	for _, e := range r.Events {
		units += 1 + len(e.Payload)/unitBytes
	}
	return units
}

// Publish stores all of the events, or none, and answers after the commit. The
// result has one event for each input, in its order; one that was there already
// by its idempotency key is the stored one, and counts as a duplicate.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND (the project), BAD_USER_INPUT,
// CONFLICT for the idempotency key of an event that the caller may neither
// publish nor read.
func (p *Publisher) Publish(ctx context.Context, input []*hark.NewEvent) (events []*hark.Event, duplicates int, err error) {
	r, err := p.prepare(ctx, input)
	if err != nil {
		return nil, 0, err
	}
	if err := p.group.Do(ctx, r); err != nil {
		return nil, 0, err
	}
	return r.Events, r.Duplicates, r.Err
}

// prepare checks a request before it joins a transaction.
func (p *Publisher) prepare(ctx context.Context, input []*hark.NewEvent) (*request, error) {
	if len(input) == 0 || len(input) > hark.MaxPublish {
		return nil, hark.BadInput("input", "%d events; from 1 to %d can be published at once", len(input), hark.MaxPublish)
	}
	r := &request{Append: store.Append{Events: make([]*hark.Event, len(input))}, revision: math.MaxInt64}
	permitted := map[hark.ID]func(*hark.Event) bool{}
	for i, in := range input {
		project := in.ProjectID
		if project.IsZero() {
			project = store.DefaultProjectID()
		}
		allows, ok := permitted[project]
		if !ok {
			var err error
			if allows, err = p.authority.Permitted(ctx, hark.PublishEvents, project); err != nil {
				return nil, err
			}
			permitted[project] = allows
		}
		if err := checkNew(in); err != nil {
			return nil, inInput(i, err)
		}
		e := &hark.Event{
			ProjectID: project, Kind: in.Kind, Environment: in.Environment, Path: in.Path, Payload: in.Payload,
			Actor: in.Actor, OccurredAt: in.OccurredAt, IdempotencyKey: in.IdempotencyKey,
			Traceparent: hark.TraceparentFrom(ctx),
		}
		if !allows(e) {
			return nil, hark.Errorf(hark.Forbidden, "the role does not permit to publish %s there", e.Kind)
		}
		r.Events[i] = e
		revision, err := p.define(ctx, e)
		if err != nil {
			return nil, inInput(i, err)
		}
		r.revision = min(r.revision, revision)
	}
	r.Duplicate = func(i int, stored *hark.Event) error {
		if permitted[stored.ProjectID](stored) {
			return nil
		}
		reads, err := p.authority.Permitted(ctx, hark.ReadEvents, stored.ProjectID)
		if err == nil && reads(stored) {
			return nil
		}
		return inInput(i, &hark.Error{
			Code: hark.Conflict, Field: "idempotencyKey",
			Message: "another event of the project has this key, and no role of yours allows to publish or to read it: choose another key",
		})
	}
	return r, nil
}

// define is catalog.define with this node's copy. An event that does not pass
// is tried again with what the database has now: another node may have changed
// the definitions.
func (p *Publisher) define(ctx context.Context, e *hark.Event) (revision int64, err error) {
	c := p.catalog.current.Load()
	if err = c.define(e); err == nil {
		return c.revision, nil
	}
	if err := p.catalog.look(ctx); err != nil {
		return 0, err
	}
	if now := p.catalog.current.Load(); now != c {
		c, err = now, now.define(e)
	}
	return c.revision, err
}

// commit stores a batch and announces it.
func (p *Publisher) commit(ctx context.Context, requests []*request) error {
	start := time.Now()
	m := &matcher{Publisher: p, checked: make(map[*store.Append]int64, len(requests)), reserved: map[hark.ID]int{}}
	appends := make([]*store.Append, len(requests))
	for i, r := range requests {
		appends[i], m.checked[&r.Append] = &r.Append, r.revision
	}
	err := p.store.Append(ctx, appends, m, hark.Now().Add(-p.conf.Retention))
	c := Commit{Requests: len(requests), Err: err}
	if err != nil {
		m.unreserve()
	} else {
		c.Events, c.Deliveries = p.announce(requests), m.matched
	}
	if p.conf.Observe != nil {
		c.Duration = time.Since(start)
		p.conf.Observe(c)
	}
	return err
}

// announce tells of what was committed: hints, all of them, since each reader
// also looks for itself.
func (p *Publisher) announce(requests []*request) (n int) {
	var due bool
	logs := map[hark.ID][]*hark.Event{}
	for _, r := range requests {
		for _, e := range r.New {
			logs[e.ProjectID] = append(logs[e.ProjectID], e)
		}
		n += len(r.New)
		due = due || r.Due
		if len(r.Leased) > 0 {
			p.conf.Starter.Start(r.Leased)
		}
	}
	for project, events := range logs {
		p.broker.Publish(project, events)
	}
	if due && p.conf.Starter != nil {
		p.conf.Starter.Due()
	}
	return n
}

// A matcher is what one transaction knows of the database, and the places that
// it reserved.
type matcher struct {
	*Publisher
	checked  map[*store.Append]int64 // the revision of the definitions that each was checked against
	matched  int
	reserved map[hark.ID]int // places taken, by subscription
}

// Refresh implements store.Matcher.
func (m *matcher) Refresh(ctx context.Context, project hark.ID, version, definitions int64) error {
	if err := m.catalog.Refresh(ctx, definitions); err != nil {
		return err
	}
	standing, err := m.authority.Standing(ctx)
	if err != nil {
		return err
	}
	m.mu.Lock()
	ix := m.indexes[project]
	m.mu.Unlock()
	if ix != nil && ix.version == version && ix.standing == standing {
		return nil
	}
	if ix == nil || ix.version != version {
		if ix, err = loadIndex(ctx, m.store, project, version); err != nil {
			return err
		}
	}
	if ix, err = ix.judge(ctx, m.authority, project, standing); err != nil {
		return err
	}
	m.mu.Lock()
	m.indexes[project] = ix
	m.mu.Unlock()
	return nil
}

// Check implements store.Matcher: definitions may have changed since a request
// was checked.
func (m *matcher) Check(r *store.Append) error {
	c := m.catalog.current.Load()
	if c.revision == m.checked[r] {
		return nil
	}
	for i, e := range r.Events {
		if err := c.define(e); err != nil {
			return inInput(i, err)
		}
	}
	return nil
}

// Match implements store.Matcher.
func (m *matcher) Match(e *hark.Event) (matches []store.Match) {
	m.mu.Lock()
	ix := m.indexes[e.ProjectID]
	m.mu.Unlock()
	for _, t := range ix.targets[e.DefinitionID] {
		if !Wants(t.conditions, e) {
			continue
		}
		match := store.Match{SubscriptionID: t.id, Version: t.version, Status: t.status}
		if t.status != hark.Discarded && !ix.may[t.owner](e) {
			match.Status, match.Barred = hark.Held, true
		}
		if match.Status == hark.Pending && m.conf.Starter != nil {
			if lease, ok := m.conf.Starter.Reserve(t.id, t.version); ok {
				match.Lease = lease
				m.reserved[t.id]++
			}
		}
		matches = append(matches, match)
	}
	m.matched += len(matches)
	return matches
}

func (m *matcher) unreserve() {
	for id, n := range m.reserved {
		m.conf.Starter.Unreserve(id, n)
	}
}
