package stream

import (
	"context"
	"fmt"
)

// A lookup asks the database for a log's bounds on behalf of all who open a
// reader meanwhile. Who comes when it has begun waits for the following one:
// what was committed before an Open must not be news to its reader.
type lookup struct {
	done         chan struct{} // closed when the rest is set
	oldest, last int64
	err          error
}

// bounds gives the log's bounds at a moment after the call.
func (m *room) bounds(ctx context.Context) (oldest, last int64, err error) {
	m.mu.Lock()
	if m.asked == nil {
		m.asked = &lookup{done: make(chan struct{})}
	}
	l := m.asked
	if !m.asking {
		m.asking = true
		m.hub.jobs.add(m.ask)
	}
	m.mu.Unlock()
	select {
	case <-l.done:
		return l.oldest, l.last, l.err
	case <-m.hub.done:
		return 0, 0, ErrDraining
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

// ask runs lookups until none is asked for.
func (m *room) ask(ctx context.Context) {
	for {
		m.mu.Lock()
		l := m.asked
		m.asked = nil
		m.asking = l != nil
		m.mu.Unlock()
		if l == nil {
			return
		}
		m.answer(ctx, l)
	}
}

func (m *room) answer(ctx context.Context, l *lookup) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	defer close(l.done)
	if l.oldest, l.last, l.err = m.hub.log.Bounds(ctx, m.project); l.err != nil {
		l.err = fmt.Errorf("read bounds: %w", l.err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.oldest = max(m.oldest, l.oldest)
	if m.ring.head < 0 {
		m.ring.grow(l.last)
	}
}
