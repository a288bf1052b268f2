package pubsub

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/hark-events/hark"
)

var _ Broker = (*Local)(nil)

// Local is the broker of a single node. It loses nothing, and hands over the
// very events that were published, in the publisher's goroutine.
type Local struct {
	mu    sync.RWMutex
	lists map[hark.ID][]*listener // replaced, never changed in place
}

// A listener is one subscription.
type listener struct {
	mu     sync.Mutex
	handle func([]*hark.Event) // nil: cancelled
}

func (l *listener) hand(events []*hark.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.handle != nil {
		l.handle(events)
	}
}

func (l *listener) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handle = nil
}

// NewLocal makes a broker that reaches the subscriptions of this process only.
func NewLocal() *Local { return &Local{lists: map[hark.ID][]*listener{}} }

// Publish implements Broker.
func (b *Local) Publish(project hark.ID, events []*hark.Event) {
	if len(events) > 0 {
		b.hand(project, events)
	}
}

func (b *Local) hand(project hark.ID, events []*hark.Event) {
	b.mu.RLock()
	list := b.lists[project]
	b.mu.RUnlock()
	for _, l := range list {
		l.hand(events)
	}
}

// Subscribe implements Broker.
func (b *Local) Subscribe(project hark.ID, handle func([]*hark.Event)) (cancel func()) {
	l := &listener{handle: handle}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lists[project] = append(slices.Clone(b.lists[project]), l)
	return sync.OnceFunc(func() {
		b.remove(project, l)
		l.end()
	})
}

func (b *Local) remove(project hark.ID, l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(b.lists[project]), func(other *listener) bool { return other == l })
	if len(list) == 0 {
		delete(b.lists, project)
		return
	}
	b.lists[project] = list
}

// listening tells whether the project has a subscription.
func (b *Local) listening(project hark.ID) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.lists[project]) > 0
}

// projects lists those with a subscription.
func (b *Local) projects() []hark.ID {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Collect(maps.Keys(b.lists))
}

// Ping implements Broker: there is nothing that could be away.
func (b *Local) Ping(context.Context) error { return nil }

// Close implements Broker.
func (b *Local) Close() error {
	b.mu.Lock()
	lists := b.lists
	b.lists = map[hark.ID][]*listener{}
	b.mu.Unlock()
	for _, list := range lists {
		for _, l := range list {
			l.end()
		}
	}
	return nil
}
