package stream

import (
	"sync"
	"time"

	"github.com/hark-events/hark"
)

// A room is a project that somebody listens to on this node.
type room struct {
	project hark.ID
	hub     *Hub
	cancel  func() // the subscription to announcements

	// Guarded by hub.mu.
	readers int
	idle    time.Time // since when there is no reader

	// mu guards the rest. It is never held while hub.mu is taken.
	mu     sync.Mutex
	ring   ring
	pages  pages
	oldest int64 // what is below is gone from the database
	parked lot   // readers that wait for the log to grow
	err    error // why the room has ended
	asked  *lookup
	asking bool // a lookup runs
}

// take gives the event at r's position and moves r on, or parks r.
func (m *room) take(r *Reader) (*hark.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.lot != nil {
		r.lot.remove(r)
	}
	switch e := m.find(r.next); {
	case r.closed:
		return nil, errClosed
	case m.err != nil:
		return nil, m.err
	case e != nil:
		r.next++
		return e, nil
	case r.next > m.ring.head:
		m.parked.add(r)
	case r.next < m.oldest:
		return nil, expired(m.project, m.oldest)
	default:
		m.want(r)
	}
	return nil, nil
}

func (m *room) find(sequence int64) *hark.Event {
	if e := m.ring.at(sequence); e != nil {
		return e
	}
	return m.pages.at(sequence)
}

// forget closes r; it tells whether r was open.
func (m *room) forget(r *Reader) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.closed {
		return false
	}
	r.closed = true
	if r.lot != nil {
		r.lot.remove(r)
	}
	return true
}

// hear takes an announcement: any part of the log, in any order, again and
// again. What follows the head makes the log grow, what fills a hole is kept,
// the rest is here already. None at all: some may have been lost.
func (m *room) hear(events []*hark.Event) {
	if len(events) == 0 {
		m.hub.suspect()
		return
	}
	m.mu.Lock()
	head := m.ring.head
	var filled []*Reader
	for _, e := range events {
		if m.ring.put(e) {
			filled = append(filled, m.pages.waiting(e.Sequence)...)
		}
	}
	m.announce(head)
	wake(filled)
}

// grow takes the sequence of an event that is known to be committed.
func (m *room) grow(to int64) {
	m.mu.Lock()
	head := m.ring.head
	m.ring.grow(to)
	m.announce(head)
}

// announce unlocks the room and wakes who waited for it to grow beyond head.
func (m *room) announce(head int64) {
	if m.ring.head == head || len(m.parked.readers) == 0 {
		m.mu.Unlock()
		return
	}
	list := m.parked.take()
	m.mu.Unlock()
	wake(list)
	m.mu.Lock()
	m.parked.give(list)
	m.mu.Unlock()
}

// end makes err what every reader gets from now on.
func (m *room) end(err error) {
	m.mu.Lock()
	if m.err == nil {
		m.err = err
	}
	list := append(m.parked.take(), m.pages.all()...)
	m.mu.Unlock()
	wake(list)
	m.hub.remove(m)
}

// head is the last sequence known to be committed; -1 before the room has started.
func (m *room) head() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ring.head
}
