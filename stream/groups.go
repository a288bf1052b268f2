package stream

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hark-events/hark"
)

// A Key tells executions apart: those of one key give everyone the same answers.
type Key struct {
	Operation string // with its variables
	Class     any    // of the callers' rights; comparable
	Waits     bool   // TryNext may wait for more than the processor: nobody waits for it
}

// An Execution is an operation that runs for one class of callers. One
// goroutine at a time uses it; it may close it while OnWake's func runs.
type Execution interface {
	Key() Key
	// TryNext gives the answer to the next event, as Reader.TryNext the event.
	TryNext() (Frame, bool, error)
	// OnWake sets what is called when TryNext is worth calling again. It is set
	// once, before TryNext is called.
	OnWake(func())
	// Cursor is behind all that TryNext has looked at, or where it began.
	Cursor() hark.Cursor
	Close()
}

// Groups executes operations once for all who ask the same and may see the
// same, and brings the answers to them.
type Groups struct {
	executed, sent atomic.Uint64
	members        atomic.Int64
	yielder        yielder

	mu     sync.Mutex
	topics map[Key]*topic
	cycles map[hark.ID]*cycle // by projects
}

// NewGroups makes Groups.
func NewGroups() *Groups { return &Groups{topics: map[Key]*topic{}, cycles: map[hark.ID]*cycle{}} }

// Join brings the answers from where x begins to s, until they end or the
// member leaves. x belongs to the Groups from then on.
func (g *Groups) Join(x Execution, s Sink) *Member {
	for key := x.Key(); ; {
		t := g.topic(key, x.Cursor().Project)
		if m, ok := t.join(x, s); ok {
			return m
		}
	}
}

func (g *Groups) topic(key Key, project hark.ID) *topic {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.topics[key]
	if t == nil {
		c := g.cycles[project]
		if c == nil {
			c = &cycle{}
			g.cycles[project] = c
		}
		c.topics++
		t = &topic{groups: g, key: key, project: project, cycle: c}
		g.topics[key] = t
	}
	return t
}

// GroupStats counts what groups hold now, and what they have done since the start.
type GroupStats struct {
	Groups   int
	Members  int
	Executed uint64 // answers that no other execution had
	Sent     uint64 // answers to members; over Executed, it is what sharing saves
}

// Stats is a snapshot.
func (g *Groups) Stats() GroupStats {
	s := GroupStats{Members: int(g.members.Load()), Executed: g.executed.Load(), Sent: g.sent.Load()}
	g.mu.Lock()
	topics := make([]*topic, 0, len(g.topics))
	for _, t := range g.topics {
		topics = append(topics, t)
	}
	g.mu.Unlock()
	for _, t := range topics {
		t.mu.Lock()
		s.Groups += len(t.at)
		t.mu.Unlock()
	}
	return s
}

// A topic is the groups of one key: one for those who are live, and others
// while some come from further back.
type topic struct {
	groups  *Groups
	key     Key
	project hark.ID
	cycle   *cycle // of the project

	mu   sync.Mutex // guards also its groups and their members
	at   []*group
	gone bool // out of Groups.topics
}

// maxAhead is how many events a group may be behind somebody who joins it.
const maxAhead = 256

// join makes a member where x is; false when the topic is gone.
func (t *topic) join(x Execution, s Sink) (*Member, bool) {
	next := x.Cursor().Sequence + 1
	t.mu.Lock()
	if t.gone {
		t.mu.Unlock()
		return nil, false
	}
	m := &Member{sink: s, lane: s.Lane(), topic: t}
	g := t.covering(next, maxAhead)
	made := g == nil
	if made {
		g = &group{topic: t, exec: x, frames: frames{low: next, next: next}, served: next}
		x.OnWake(g.wake)
		t.at = append(t.at, g)
	}
	t.groups.members.Add(1)
	t.put(g, m, next)
	t.mu.Unlock()
	if !made {
		x.Close()
	}
	g.wake()
	return m, true
}

// covering gives a group that has, or will have soon, all answers from next on.
func (t *topic) covering(next, ahead int64) *group {
	i := slices.IndexFunc(t.at, func(g *group) bool {
		return !g.ended && g.failed == nil && g.frames.low <= next && next <= g.frames.next+ahead
	})
	if i < 0 {
		return nil
	}
	return t.at[i]
}

// put makes m, which has all below next, a member of g.
func (t *topic) put(g *group, m *Member, next int64) {
	m.group, m.slot, m.next = g, len(g.members), next
	g.members = append(g.members, m)
	if next < g.served {
		m.behind = true
		g.behind++
		go m.catchUp()
	}
}

// settle merges g into another group, if that has all that g's members need,
// and tells whether g has ended and is to be closed.
func (t *topic) settle(g *group) (ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.at) > 1 && !g.ended && g.failed == nil {
		t.merge(g)
	}
	if !g.ended {
		if len(g.members) == 1 && g.behind == 0 && g.served == g.frames.next {
			g.frames.clear() // nobody needs them who is here
		}
		return false
	}
	t.at = slices.DeleteFunc(t.at, func(other *group) bool { return other == g })
	if len(t.at) == 0 {
		t.gone = true
		t.groups.forget(t)
	}
	return true
}

func (t *topic) merge(g *group) {
	i := slices.IndexFunc(t.at, func(o *group) bool {
		return o != g && !o.ended && o.failed == nil && o.frames.low <= g.served && g.served <= o.frames.next
	})
	if i < 0 {
		return
	}
	to, moved := t.at[i], false
	for _, m := range slices.Clone(g.members) {
		if !m.behind {
			g.remove(m)
			t.groups.members.Add(1)
			t.put(to, m, m.next)
			moved = true
		}
	}
	if moved { // else two groups of whom all are behind would wake each other for ever
		to.wake()
	}
}

// end ends g: its members get why as soon as they have all that g has.
func (t *topic) end(g *group, why error) {
	t.mu.Lock()
	g.failed = why
	var ended []*Member
	for _, m := range slices.Clone(g.members) {
		if !m.behind {
			g.remove(m)
			ended = append(ended, m)
		}
	}
	t.mu.Unlock()
	for _, m := range ended {
		m.sink.End(m.cursor(), why)
	}
}

func (g *Groups) forget(t *topic) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.topics[t.key] == t {
		delete(g.topics, t.key)
	}
	if t.cycle.topics--; t.cycle.topics == 0 {
		delete(g.cycles, t.project)
	}
}
