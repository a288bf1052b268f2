package stream

import (
	"context"

	"github.com/hark-events/hark"
)

// A Log is the database behind the hub. *store.Store is one.
//
// An event is in it before it is announced, and sequences have no gap from the
// oldest retained one on.
type Log interface {
	// Read gives a project's events with sequences behind after, ascending: at
	// most limit, and fewer when they would be more than a few MiB, but at least
	// one if there is one.
	Read(ctx context.Context, project hark.ID, after int64, limit int) ([]*hark.Event, error)

	// Bounds gives the sequences of the oldest retained event (last+1 when there
	// is none) and of the last committed one. Error: NOT_FOUND when the project
	// is gone.
	Bounds(ctx context.Context, project hark.ID) (oldest, last int64, err error)

	// Heads gives the last committed sequence of each project. One that is gone
	// is missing.
	Heads(ctx context.Context, projects []hark.ID) (map[hark.ID]int64, error)
}
