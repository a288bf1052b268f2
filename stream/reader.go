package stream

import (
	"context"

	"github.com/hark-events/hark"
)

// Options say what a reader reads. The zero Options are every event from now on.
type Options struct {
	// After is the position to go on behind; nil: behind the last committed event.
	After *hark.Cursor

	// Match chooses events; nil: all. It runs in the goroutine that reads.
	Match func(*hark.Event) bool

	// Wake is called once after TryNext had nothing, when calling it again is
	// worth while; nil: nobody is told. It must be quick and must not call the
	// Reader. It may be called for no reason, and once more after Close.
	Wake func()

	// Class is comparable: readers of the same class in a project may see the
	// same of the same events.
	Class any
}

// A Reader is a position in a project's log. It holds no events and has no
// goroutine, however far behind it is. One goroutine at a time reads; any may
// close.
type Reader struct {
	hub    *Hub
	class  any
	room   *room
	match  func(*hark.Event) bool
	notify func()
	ready  chan struct{} // of capacity 1: woken

	// Guarded by room.mu.
	next   int64 // sequence
	lot    *lot  // where it is parked; nil: nowhere
	slot   int   // in lot
	closed bool
}

// Next waits for the next event that matches.
//
// Errors: CURSOR_EXPIRED (with details.oldestCursor) when retention has overtaken
// the reader, NOT_FOUND when the project is gone, ErrDraining when the hub stops,
// ctx's own when it ends. None but the last can be overcome by calling again.
func (r *Reader) Next(ctx context.Context) (*hark.Event, error) {
	for {
		e, ok, err := r.TryNext()
		if ok || err != nil {
			return e, err
		}
		select {
		case <-r.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TryNext gives the next event that matches, if it is in memory; if not, it
// has what is needed read from the database. After false, Wake tells when to
// try again. Errors are those of Next.
func (r *Reader) TryNext() (*hark.Event, bool, error) {
	for {
		e, err := r.room.take(r)
		if e == nil {
			return nil, false, err
		}
		if r.match == nil || r.match(e) {
			return e, true, nil
		}
	}
}

// OnWake sets Options.Wake. It is called before the first TryNext.
func (r *Reader) OnWake(f func()) { r.notify = f }

// Class is Options.Class, with the project.
func (r *Reader) Class() any { return class{r.room.project, r.class} }

type class struct {
	project hark.ID
	of      any
}

// Cursor is the position: behind all that has been looked at, matching or not,
// or where the reader began. To go on from there loses and repeats nothing.
func (r *Reader) Cursor() hark.Cursor {
	r.room.mu.Lock()
	defer r.room.mu.Unlock()
	return hark.Cursor{Project: r.room.project, Sequence: r.next - 1}
}

// Close ends the reader; a waiting Next returns. Closing twice is closing once.
func (r *Reader) Close() {
	if r.room.forget(r) {
		r.wake()
		r.hub.leave(r.room)
	}
}

func (r *Reader) wake() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
	if r.notify != nil {
		r.notify()
	}
}
