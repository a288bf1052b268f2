package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hark-events/hark"
)

const (
	// grace is how long a hole in the ring may fill by itself: announcements of
	// two nodes overtake each other all the time, and then nothing is lost.
	grace = 5 * time.Millisecond

	// queryTimeout ends a query of the database that does not answer.
	queryTimeout = 10 * time.Second
)

// want parks r until its page has been read. It is called with the room's mutex held.
func (m *room) want(r *Reader) {
	key := pageKey(r.next)
	p := m.pages.byKey[key]
	if p == nil {
		p = &page{}
		m.pages.byKey[key] = p
	}
	p.waiting.add(r)
	if !p.loading {
		p.loading = true
		hole := r.next >= m.ring.low
		m.hub.jobs.add(func(ctx context.Context) { m.load(ctx, key, p, hole) })
	}
}

// load reads page key for those who wait for it, until it succeeds or nobody
// does any more.
func (m *room) load(ctx context.Context, key int64, p *page, hole bool) {
	if hole {
		wait(ctx, grace)
	}
	for try := 0; ctx.Err() == nil; try++ {
		from := m.wanted(key, p)
		if from == 0 {
			return
		}
		events, oldest, err := m.fetch(ctx, from, key)
		if is(err, hark.NotFound) || is(err, hark.CursorExpired) {
			m.end(err)
			return
		}
		if m.hub.note(ctx, err); err == nil {
			if hole {
				m.hub.holes.Add(1)
			} else {
				m.hub.catchUps.Add(1)
			}
			m.loaded(key, p, events, oldest)
			return
		}
		d := 50 * time.Millisecond << min(try, 5)
		wait(ctx, d+rand.N(d/4))
	}
}

// wanted is the lowest sequence that a waiting reader lacks. Without one it is
// 0, and the page is not being loaded any more.
func (m *room) wanted(key int64, p *page) (from int64) {
	m.mu.Lock()
	for _, r := range p.waiting.readers {
		if (from == 0 || r.next < from) && m.find(r.next) == nil {
			from = r.next
		}
	}
	if from > 0 {
		m.mu.Unlock()
		return from
	}
	p.loading = false
	list := p.waiting.take()
	if len(p.events) == 0 {
		m.pages.keep(key, nil)
	}
	m.mu.Unlock()
	wake(list)
	return 0
}

// fetch reads from the sequence from on to the end of page key. Without events,
// oldest is the lowest sequence that is still there.
func (m *room) fetch(ctx context.Context, from, key int64) (events []*hark.Event, oldest int64, err error) {
	select {
	case m.hub.reads <- struct{}{}:
		defer func() { <-m.hub.reads }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	limit := int((key+1)*pageEvents - from + 1)
	for again := false; ; again = true {
		if events, err = m.hub.log.Read(ctx, m.project, from-1, limit); err != nil {
			return nil, 0, fmt.Errorf("read events: %w", err)
		}
		if len(events) > 0 && events[0].Sequence == from {
			return contiguous(events), 0, nil
		}
		oldest, last, err := m.hub.log.Bounds(ctx, m.project)
		switch {
		case err != nil:
			return nil, 0, fmt.Errorf("read bounds: %w", err)
		case last < from: // an older state of the database has been restored
			return nil, 0, expired(m.project, oldest)
		case oldest > from:
			return nil, oldest, nil
		case again && len(events) > 0: // gone, although an older one is not
			return nil, max(events[0].Sequence, from+1), nil
		case again:
			return nil, last + 1, nil
		}
	}
}

// contiguous is the part of events before the first gap.
func contiguous(events []*hark.Event) []*hark.Event {
	for i, e := range events {
		if e.Sequence != events[0].Sequence+int64(i) {
			return events[:i]
		}
	}
	return events
}

func (m *room) loaded(key int64, p *page, events []*hark.Event, oldest int64) {
	m.mu.Lock()
	m.oldest = max(m.oldest, oldest)
	head := m.ring.head
	for _, e := range events {
		m.ring.put(e)
	}
	p.loading = false
	list := p.waiting.take()
	switch {
	case len(events) > 0 && events[0].Sequence < m.ring.low:
		m.pages.keep(key, events)
	default: // the ring has them all, or there are none
		m.pages.keep(key, nil)
	}
	m.announce(head)
	wake(list)
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
