package subscriptions

import (
	"context"
	"maps"
	"slices"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/internal/batch"
	"github.com/hark-events/hark/store"
)

// maxLookup is how many rows one query looks up: those of the longest list.
const maxLookup = 500

// A lookup finds rows by their ids. What many fields of a list ask for at once
// is found by few queries: while one runs, the next one gathers.
type lookup[T any] struct {
	group *batch.Group[*wanted[T]]
}

// A wanted is an id that somebody asks for, and what was found.
type wanted[T any] struct {
	id    hark.ID
	found *T
}

func newLookup[T any](find func(ctx context.Context, ids []hark.ID) ([]*T, error), id func(*T) hark.ID) *lookup[T] {
	one := func(*wanted[T]) int { return 1 }
	return &lookup[T]{group: batch.New(maxLookup, maxLookup, one, func(ctx context.Context, list []*wanted[T]) error {
		ids := make(map[hark.ID]*T, len(list))
		for _, w := range list {
			ids[w.id] = nil
		}
		rows, err := find(ctx, slices.Collect(maps.Keys(ids)))
		if err != nil {
			return err
		}
		for _, row := range rows {
			ids[id(row)] = row
		}
		for _, w := range list {
			w.found = ids[w.id]
		}
		return nil
	})}
}

// get finds one row, which others may have got too: nobody changes it. It is nil when there is none.
func (l *lookup[T]) get(ctx context.Context, id hark.ID) (*T, error) {
	w := &wanted[T]{id: id}
	err := l.group.Do(ctx, w)
	return w.found, err
}

func eventLookup(st *store.Store) *lookup[hark.Event] {
	return newLookup(st.Events, func(e *hark.Event) hark.ID { return e.ID })
}

func rowLookup(st *store.Store) *lookup[ent.EventSubscription] {
	return newLookup(func(ctx context.Context, ids []hark.ID) ([]*ent.EventSubscription, error) {
		return st.Ent().EventSubscription.Query().Where(eventsubscription.IDIn(ids...)).WithProject().WithEventDefinitions().All(ctx)
	}, func(row *ent.EventSubscription) hark.ID { return row.ID })
}
