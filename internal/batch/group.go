// Package batch commits what many callers bring in few transactions: while one commit runs, the next batch fills.
package batch

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// A Group commits items in batches, one batch at a time, in the order of their
// arrival. It has no goroutine of its own: whoever finds no commit running
// leads, commits the batch that its own item is in, and hands the lead to the
// first who waits.
//
// Nothing bounds how many may wait: that is up to the callers.
type Group[T any] struct {
	maxItems int
	maxBytes int
	size     func(T) int
	commit   func(ctx context.Context, items []T) error
	linger   time.Duration
	many     int

	mu    sync.Mutex
	last  int       // how many items the last batch had
	busy  bool      // somebody leads; while nobody does, nobody waits
	queue list.List // of *waiter[T]
}

// A waiter is an item on its way, and its caller.
type waiter[T any] struct {
	item  T
	size  int
	place *list.Element // in the queue; nil once taken

	woken chan struct{} // closed once, after lead and err are set
	lead  bool          // its caller commits the next batch
	err   error         // what came of its batch, unless it leads
}

var errPanicked = errors.New("the commit panicked")

// New makes a Group of batches of at most maxItems items which together are at
// most maxBytes by size; an item bigger than that goes alone. Commit may keep
// the items it is given. An error that it returns fails all of them: what
// concerns one item alone belongs into that item.
func New[T any](maxItems, maxBytes int, size func(T) int, commit func(ctx context.Context, items []T) error) *Group[T] {
	return &Group[T]{maxItems: maxItems, maxBytes: maxBytes, size: size, commit: commit}
}

// Linger makes batches wait for d to fill while the last one had at least many
// items: where a commit costs much and nobody is in a hurry. It is set before
// the first Do.
func (g *Group[T]) Linger(d time.Duration, many int) { g.linger, g.many = d, many }

// Do returns when item has been committed, with what commit returned.
//
// When ctx ends while item still waits, Do returns ctx.Err() and item will not
// be committed. Once item is in a batch, Do waits for the outcome whatever
// becomes of ctx: commit runs with the values of one caller's context, but is
// not cancelled by it. A panic in commit goes on in the caller that leads; the
// others of its batch get an error.
func (g *Group[T]) Do(ctx context.Context, item T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter[T]{item: item, size: g.size(item), woken: make(chan struct{})}
	if g.join(w) {
		return g.lead(ctx, w)
	}
	select {
	case <-w.woken:
	case <-ctx.Done():
		if g.leave(w) {
			return ctx.Err()
		}
		<-w.woken
	}
	if w.lead {
		return g.lead(ctx, w)
	}
	return w.err
}

// join makes w the leader and returns true, or queues it.
func (g *Group[T]) join(w *waiter[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy {
		w.place = g.queue.PushBack(w)
		return false
	}
	g.busy = true
	return true
}

// leave takes w out of the queue, unless a batch or the lead has it already.
func (g *Group[T]) leave(w *waiter[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.place == nil {
		return false
	}
	g.queue.Remove(w.place)
	return true
}

// lead commits one batch with w as its first item, wakes the others in it and
// hands the lead on.
func (g *Group[T]) lead(ctx context.Context, w *waiter[T]) error {
	if g.fills() {
		time.Sleep(g.linger)
	}
	others := g.take(w)
	items := make([]T, 1, 1+len(others))
	items[0] = w.item
	for _, o := range others {
		items = append(items, o.item)
	}

	err := errPanicked
	defer func() { // on a panic and on runtime.Goexit too
		g.handOver()
		for _, o := range others {
			o.err = err
			close(o.woken)
		}
	}()
	err = g.commit(context.WithoutCancel(ctx), items)
	return err
}

// fills tells whether it is worth while to wait for more.
func (g *Group[T]) fills() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.linger > 0 && g.last >= g.many && g.queue.Len()+1 < g.maxItems
}

// take gives those at the head of the queue who fit into one batch with w.
func (g *Group[T]) take(w *waiter[T]) (others []*waiter[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	bytes := w.size
	for len(others)+1 < g.maxItems && g.queue.Len() > 0 {
		next := g.queue.Front().Value.(*waiter[T])
		if bytes+next.size > g.maxBytes {
			break
		}
		bytes += next.size
		g.pop(next)
		others = append(others, next)
	}
	g.last = 1 + len(others)
	return others
}

// handOver gives the lead to the first who waits. Its batch is taken when it
// gets to run, so whoever comes until then is in it too.
func (g *Group[T]) handOver() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.queue.Len() == 0 {
		g.busy = false
		return
	}
	next := g.queue.Front().Value.(*waiter[T])
	g.pop(next)
	next.lead = true
	close(next.woken)
}

// pop takes w, for good. The caller holds mu.
func (g *Group[T]) pop(w *waiter[T]) {
	g.queue.Remove(w.place)
	w.place = nil
}
