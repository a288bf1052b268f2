package stream

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/pubsub"
)

// Config tunes a Hub. The zero value of a field means its default.
type Config struct {
	RingEvents int           // events of a project kept in memory; default 1,024
	RingBytes  int           // bytes of them, and again of the pages for readers behind them; default 8 MiB
	Linger     time.Duration // that a project stays in memory without a reader; default 5s
	Reads      int           // reads of events from the database at once; default 8
}

// A Hub brings the committed events of projects to readers on this node.
//
// Announcements make it quick, the database makes it right: a reader gets what
// follows its position from the newest events in memory, and else from the
// database, where every event is that an announcement could tell of.
type Hub struct {
	log    Log
	broker pubsub.Broker
	logger *slog.Logger
	conf   Config
	jobs   jobs
	reads  chan struct{} // takes one for each read of events
	doubt  chan struct{} // of capacity 1: announcements may have been lost
	done   chan struct{} // closed when Run has ended

	holes, catchUps atomic.Uint64
	away            atomic.Bool // the database did not answer the last query

	mu    sync.Mutex
	rooms map[hark.ID]*room
	ended bool
}

// NewHub makes a hub over a log. It does nothing until Run is called.
func NewHub(l Log, b pubsub.Broker, log *slog.Logger, c Config) *Hub {
	c.RingEvents = cmp.Or(c.RingEvents, 1024)
	c.RingBytes = cmp.Or(c.RingBytes, 8<<20)
	c.Linger = cmp.Or(c.Linger, 5*time.Second)
	c.Reads = cmp.Or(c.Reads, 8)
	return &Hub{
		log: l, broker: b, logger: log, conf: c,
		jobs:  jobs{added: make(chan struct{}, 1)},
		reads: make(chan struct{}, c.Reads),
		doubt: make(chan struct{}, 1),
		done:  make(chan struct{}),
		rooms: map[hark.ID]*room{},
	}
}

// Run does the hub's work until ctx ends; then every reader gets ErrDraining
// and Run returns nil. It is called once.
func (h *Hub) Run(ctx context.Context) error {
	var g sync.WaitGroup
	g.Go(func() { h.watch(ctx) })
	for ctx.Err() == nil {
		select {
		case <-h.jobs.added:
			for _, f := range h.jobs.take() {
				g.Go(func() { f(ctx) })
			}
		case <-ctx.Done():
		}
	}
	h.drain()
	g.Wait()
	return nil
}

func (h *Hub) drain() {
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
	for _, m := range h.list() {
		m.end(ErrDraining)
	}
	close(h.done)
}

// Open makes a reader of a project's log. Whatever is committed after it has
// returned, the reader gets. It waits for the database, and for Run.
//
// Errors: NOT_FOUND when there is no such project; CURSOR_EXPIRED (with
// details.oldestCursor) when o.After is behind what is retained, or ahead of
// what is committed; ErrDraining; the database's and ctx's own.
func (h *Hub) Open(ctx context.Context, project hark.ID, o Options) (*Reader, error) {
	m, err := h.enter(project)
	if err != nil {
		return nil, err
	}
	oldest, last, err := m.bounds(ctx)
	if err != nil {
		h.leave(m)
		return nil, err
	}
	next := last + 1
	if o.After != nil {
		next = o.After.Sequence + 1
		if next < oldest || next > last+1 {
			h.leave(m)
			return nil, expired(project, oldest)
		}
	}
	return &Reader{hub: h, room: m, class: o.Class, match: o.Match, notify: o.Wake, ready: make(chan struct{}, 1), next: next}, nil
}

// enter finds or makes the room of a project, for one reader more.
func (h *Hub) enter(project hark.ID) (*room, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return nil, ErrDraining
	}
	m := h.rooms[project]
	if m == nil {
		m = &room{
			project: project, hub: h,
			ring:  newRing(h.conf.RingEvents, h.conf.RingBytes),
			pages: pages{byKey: map[int64]*page{}, maxBytes: h.conf.RingBytes},
		}
		// Before anybody asks for the bounds, so that nothing falls between.
		m.cancel = h.broker.Subscribe(project, m.hear)
		h.rooms[project] = m
	}
	m.readers++
	return m, nil
}

func (h *Hub) leave(m *room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.readers--; m.readers == 0 {
		m.idle = time.Now()
	}
}

// remove takes a room out of the hub.
func (h *Hub) remove(m *room) {
	h.mu.Lock()
	if h.rooms[m.project] == m {
		delete(h.rooms, m.project)
	}
	h.mu.Unlock()
	m.cancel()
}

func (h *Hub) list() []*room {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*room, 0, len(h.rooms))
	for _, m := range h.rooms {
		list = append(list, m)
	}
	return list
}

// Stats counts what a hub holds now, and what it has done since the start.
type Stats struct {
	Projects   int    // with a reader now or a moment ago
	Readers    int    // open
	RingEvents int    // in memory
	Holes      uint64 // reads for events whose announcement did not come
	CatchUps   uint64 // reads for readers that were behind
}

// Stats is a snapshot; it takes as long as there are projects.
func (h *Hub) Stats() Stats {
	s := Stats{Holes: h.holes.Load(), CatchUps: h.catchUps.Load()}
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Projects = len(h.rooms)
	for _, m := range h.rooms {
		s.Readers += m.readers
		m.mu.Lock()
		s.RingEvents += m.ring.events
		m.mu.Unlock()
	}
	return s
}
