// Package events takes events in: definitions, validation, matching, the publisher with its group commit, and retention.
package events

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/pattern"
	"github.com/hark-events/hark/store"
)

// A Catalog is this node's copy of the event definitions. It is as old as the
// last look at the database; who finds another revision there refreshes it.
type Catalog struct {
	store *store.Store

	loading sync.Mutex
	current atomic.Pointer[catalog]
	looked  atomic.Int64 // when the database was last asked, as a hark.Time
}

// recent is how old a look at the database may be for who only reads.
const recent = 500 * time.Millisecond

// catalog is one revision of the definitions. It never changes.
type catalog struct {
	revision int64
	byKind   map[hark.Kind]*definition // without the deleted
	byID     map[hark.ID]*definition   // with them
}

// A definition with its schema compiled, if it has one. One whose schema no
// longer compiles, after an upgrade perhaps, takes no events but hinders no other.
type definition struct {
	*ent.EventDefinition
	schema *jsonschema.Schema
	broken error
}

// NewCatalog makes an empty catalog; the first use loads it.
func NewCatalog(st *store.Store) *Catalog {
	c := &Catalog{store: st}
	c.current.Store(&catalog{revision: -1})
	return c
}

// Refresh loads the definitions, unless the copy is of that revision.
func (c *Catalog) Refresh(ctx context.Context, revision int64) error {
	if c.current.Load().revision == revision {
		return nil
	}
	return c.load(ctx)
}

// look asks the database whether there is another revision, and loads it.
func (c *Catalog) look(ctx context.Context) error {
	now := hark.Now()
	revision, err := c.store.Revision(ctx, store.Definitions)
	if err != nil {
		return err
	}
	if err := c.Refresh(ctx, revision); err != nil {
		return err
	}
	c.looked.Store(int64(now))
	return nil
}

func (c *Catalog) load(ctx context.Context) error {
	c.loading.Lock()
	defer c.loading.Unlock()
	// The revision first: definitions that change in between are loaded again
	// by the next who compares, never missed.
	revision, err := c.store.Revision(ctx, store.Definitions)
	if err != nil {
		return err
	}
	old := c.current.Load()
	if old.revision == revision {
		return nil
	}
	list, err := c.store.Ent().EventDefinition.Query().All(ctx)
	if err != nil {
		return fmt.Errorf("load the event definitions: %w", err)
	}
	next := &catalog{revision: revision, byKind: make(map[hark.Kind]*definition, len(list)), byID: make(map[hark.ID]*definition, len(list))}
	for _, row := range list {
		d := &definition{EventDefinition: row}
		if was := old.byID[row.ID]; was != nil && bytes.Equal(was.PayloadSchema, row.PayloadSchema) {
			d.schema, d.broken = was.schema, was.broken
		} else if len(row.PayloadSchema) > 0 {
			d.schema, d.broken = compileSchema(row.PayloadSchema)
		}
		next.byID[row.ID] = d
		if row.DeletedAt.IsZero() {
			next.byKind[KindOf(row)] = d
		}
	}
	c.current.Store(next)
	return nil
}

// KindOf is the key of a definition.
func KindOf(d *ent.EventDefinition) hark.Kind {
	return hark.Kind{SourceService: d.SourceService, ResourceType: d.ResourceType, OperationType: d.OperationType}
}

// Definition finds an event's definition as it is now, give or take half a
// second, even if it has been deleted since; NOT_FOUND when there never was one.
func (c *Catalog) Definition(ctx context.Context, id hark.ID) (*ent.EventDefinition, error) {
	if hark.Now().Sub(hark.Time(c.looked.Load())) > recent || c.current.Load().byID[id] == nil {
		if err := c.look(ctx); err != nil {
			return nil, err
		}
	}
	if d := c.current.Load().byID[id]; d != nil {
		return d.EventDefinition, nil
	}
	return nil, hark.Errorf(hark.NotFound, "no such event definition")
}

// CheckRegistered returns a BAD_USER_INPUT for the first registration of whose
// events no definition is registered.
func (c *Catalog) CheckRegistered(ctx context.Context, register []hark.Registration) error {
	if err := c.look(ctx); err != nil {
		return err
	}
	kinds := c.current.Load().byKind
	for i, r := range register {
		p, err := pattern.CompileEvent(r.Event)
		if err != nil {
			return hark.BadInput(fmt.Sprintf("register.%d.event", i), "%v", err)
		}
		registered := false
		for kind := range kinds {
			registered = registered || p.Match(&kind)
		}
		if !registered {
			return hark.BadInput(fmt.Sprintf("register.%d.event", i), "no event definition %s is registered", r.Event)
		}
	}
	return nil
}

// define gives an event its definition, and checks the event against it.
func (c *catalog) define(e *hark.Event) error {
	d := c.byKind[e.Kind]
	if d == nil {
		return hark.Errorf(hark.BadUserInput, "no event definition %s is registered: create it first", e.Kind)
	}
	e.DefinitionID = d.ID
	return d.validate("payload", e.Payload)
}
