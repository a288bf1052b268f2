package pubsub

import (
	"sync"

	"github.com/hark-events/hark"
)

// An announcement is what one Publish said.
type announcement struct {
	project hark.ID
	events  []*hark.Event
	bytes   int
}

// An outbox holds announcements until they are sent. When it is full, the
// oldest make room: listeners have read those from the database long since.
type outbox struct {
	maxBytes, maxEvents int
	filled              chan struct{} // of capacity 1: something has been put in

	mu      sync.Mutex
	queue   []announcement
	bytes   int
	events  int
	dropped uint64 // events
}

func newOutbox(maxBytes, maxEvents int) *outbox {
	return &outbox{maxBytes: maxBytes, maxEvents: maxEvents, filled: make(chan struct{}, 1)}
}

func (o *outbox) put(project hark.ID, events []*hark.Event) {
	a := announcement{project: project, events: events}
	for _, e := range events {
		a.bytes += wireSize(e)
	}
	o.mu.Lock()
	o.queue = append(o.queue, a)
	o.bytes += a.bytes
	o.events += len(events)
	for o.bytes > o.maxBytes || o.events > o.maxEvents {
		o.dropped += uint64(len(o.pop().events))
	}
	o.mu.Unlock()
	select {
	case o.filled <- struct{}{}:
	default:
	}
}

// take removes the oldest announcements, about maxBytes of them.
func (o *outbox) take(maxBytes int) (batch []announcement) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for bytes := 0; len(o.queue) > 0 && bytes < maxBytes; {
		a := o.pop()
		bytes += a.bytes
		batch = append(batch, a)
	}
	return batch
}

func (o *outbox) pop() announcement {
	a := o.queue[0]
	o.queue[0] = announcement{} // let go of the events
	o.queue = o.queue[1:]
	o.bytes -= a.bytes
	o.events -= len(a.events)
	return a
}

func (o *outbox) stats() (waiting int, dropped uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.events, o.dropped
}

// drop counts events that were taken and not sent.
func (o *outbox) drop(events int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropped += uint64(events)
}
