package stream

import (
	"context"
	"time"

	"github.com/hark-events/hark"
)

const (
	watchEvery = time.Second            // between looks at the database for what nobody announced
	doubtEvery = 100 * time.Millisecond // at least, however often announcements are in doubt
)

// suspect has the heads looked at soon. It does not block.
func (h *Hub) suspect() {
	select {
	case h.doubt <- struct{}{}:
	default:
	}
}

// watch looks for missing tails and leaves empty rooms, until ctx ends.
func (h *Hub) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.sweep()
			h.look(ctx)
		case <-h.doubt:
			h.look(ctx)
			wait(ctx, doubtEvery)
		}
	}
}

// look compares the rooms with the database, by one query for all.
func (h *Hub) look(ctx context.Context) {
	// The rooms' heads come before the database's: what is announced between
	// must not look like a log that lost its end.
	before := map[*room]int64{}
	var projects []hark.ID
	for _, m := range h.list() {
		if head := m.head(); head >= 0 {
			before[m] = head
			projects = append(projects, m.project)
		}
	}
	if len(projects) == 0 {
		return
	}
	query, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	heads, err := h.log.Heads(query, projects)
	if h.note(ctx, err); err != nil {
		return
	}
	for m, was := range before {
		switch head, ok := heads[m.project]; {
		case !ok:
			m.end(gone())
		case head < was:
			h.restored(query, m, was)
		default:
			m.grow(head)
		}
	}
}

// restored ends a room whose log has gone back to an older state: its sequences
// will come again, with other events.
func (h *Hub) restored(ctx context.Context, m *room, was int64) {
	oldest, last, err := h.log.Bounds(ctx, m.project)
	if err == nil && last < was {
		h.logger.Warn("the log is shorter than it was: its readers start anew", "project", m.project, "was", was, "is", last)
		m.end(expired(m.project, oldest))
	}
}

// sweep leaves rooms that have been empty for a while, and pages.
func (h *Hub) sweep() {
	for _, m := range h.list() {
		h.mu.Lock()
		idle := m.readers == 0 && time.Since(m.idle) >= h.conf.Linger
		if idle && h.rooms[m.project] == m {
			delete(h.rooms, m.project)
		}
		h.mu.Unlock()
		if idle {
			m.cancel()
			continue
		}
		m.mu.Lock()
		m.pages.sweep()
		m.mu.Unlock()
	}
}

// note says once that the database is away, and once that it is back.
func (h *Hub) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && !h.away.Swap(true):
		h.logger.Warn("streams wait for the database", "err", err)
	case err == nil && h.away.Swap(false):
		h.logger.Info("streams have the database again")
	}
}
