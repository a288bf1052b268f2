package stream

import "github.com/hark-events/hark"

// eventOverhead is about what an event takes beside its texts.
const eventOverhead = 320

func eventBytes(e *hark.Event) int {
	return eventOverhead + len(e.Payload) + len(e.Path) + len(e.IdempotencyKey) + len(e.Actor) + len(e.Environment)
}

// A ring is the newest part of a log: the events from low to head, as far as
// they have arrived here.
type ring struct {
	slots    []*hark.Event // the event with sequence s is at s % len; nil outside of low to head, and where one has not arrived
	low      int64
	head     int64 // the last sequence known to be committed; -1: not known yet
	events   int
	bytes    int
	maxBytes int
}

func newRing(size, maxBytes int) ring {
	return ring{slots: make([]*hark.Event, size), head: -1, maxBytes: maxBytes}
}

func (r *ring) slot(sequence int64) **hark.Event { return &r.slots[sequence%int64(len(r.slots))] }

// at gives an event, or nil where the ring does not have it.
func (r *ring) at(sequence int64) *hark.Event {
	if sequence < r.low || sequence > r.head {
		return nil
	}
	return *r.slot(sequence)
}

// grow notes that events up to head are committed.
func (r *ring) grow(head int64) {
	size := int64(len(r.slots))
	switch {
	case r.head < 0:
		r.low = head + 1
	case head <= r.head:
		return
	case head-r.head >= size: // nothing of it stays
		clear(r.slots)
		r.events, r.bytes = 0, 0
		r.low = head - size + 1
	}
	for r.low <= head-size {
		r.evict()
	}
	r.head = head
}

// put stores e, unless it is there already or too old.
func (r *ring) put(e *hark.Event) (stored bool) {
	if r.head < 0 {
		r.grow(e.Sequence - 1)
	}
	r.grow(e.Sequence)
	if e.Sequence < r.low || *r.slot(e.Sequence) != nil {
		return false
	}
	*r.slot(e.Sequence) = e
	r.events++
	r.bytes += eventBytes(e)
	for r.bytes > r.maxBytes && r.low < r.head {
		r.evict()
	}
	return true
}

func (r *ring) evict() {
	if s := r.slot(r.low); *s != nil {
		r.events--
		r.bytes -= eventBytes(*s)
		*s = nil
	}
	r.low++
}
