// Package events takes events in: definitions, validation, matching, the publisher with its group commit, and retention.
package events

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

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
}

// catalog is one revision of the definitions. It never changes.
type catalog struct {
	revision int64
	byKind   map[hark.Kind]*definition // without the deleted
	byID     map[hark.ID]*definition   // with them
}

// A definition with its schema compiled, if it has one.
type definition struct {
	*ent.EventDefinition
	schema *jsonschema.Schema
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
		if was := old.byID[row.ID]; was != nil && was.UpdatedAt == row.UpdatedAt {
			d.schema = was.schema
		} else if len(row.PayloadSchema) > 0 && row.DeletedAt.IsZero() {
			if d.schema, err = compileSchema(row.PayloadSchema); err != nil {
				return fmt.Errorf("compile the schema of %s: %w", KindOf(row), err)
			}
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

// Definition finds an event's definition, even if it has been deleted since;
// NOT_FOUND when there never was one.
func (c *Catalog) Definition(ctx context.Context, id hark.ID) (*ent.EventDefinition, error) {
	if d := c.current.Load().byID[id]; d != nil {
		return d.EventDefinition, nil
	}
	if err := c.load(ctx); err != nil { // another node's, perhaps
		return nil, err
	}
	if d := c.current.Load().byID[id]; d != nil {
		return d.EventDefinition, nil
	}
	return nil, hark.Errorf(hark.NotFound, "no such event definition")
}

// CheckRegistered returns a BAD_USER_INPUT for the first registration of whose
// events no definition is registered.
func (c *Catalog) CheckRegistered(ctx context.Context, register []hark.Registration) error {
	revision, err := c.store.Revision(ctx, store.Definitions)
	if err != nil {
		return err
	}
	if err := c.Refresh(ctx, revision); err != nil {
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

// find is the definition of a kind, or nil. A kind that is not in the copy may
// be new: then the database is asked.
func (c *Catalog) find(ctx context.Context, kind hark.Kind) (*definition, error) {
	if d := c.current.Load().byKind[kind]; d != nil {
		return d, nil
	}
	revision, err := c.store.Revision(ctx, store.Definitions)
	if err != nil {
		return nil, err
	}
	if err := c.Refresh(ctx, revision); err != nil {
		return nil, err
	}
	return c.current.Load().byKind[kind], nil
}
