package audience

import (
	"cmp"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hark-events/hark"
)

const (
	// spread is over how long the streams of a draining node end at most, so
	// that their clients do not all come back at once; pace is the time for each.
	spread = 5 * time.Second
	pace   = 2 * time.Millisecond
)

// Limits bound the streams of a node. The zero value of a field means its default.
type Limits struct {
	Streams  int // WebSockets and event streams; default 20,000
	Identity int // of them for one identity; default 10,000
	Project  int // of them for one project at its own endpoint; default 1,000
}

// An Audience is all open streams of a node.
type Audience struct {
	limits Limits
	drain  context.Context // ends when the node stops
	open   sync.WaitGroup

	mu    sync.Mutex
	all   int
	named map[name]int
}

// A name is what streams are counted by.
type name struct {
	kind string // "identity" or "project"
	id   hark.ID
}

// New makes an Audience, which goes home when drain ends.
func New(drain context.Context, l Limits) *Audience {
	l.Streams = cmp.Or(l.Streams, 20_000)
	l.Identity = cmp.Or(l.Identity, 10_000)
	l.Project = cmp.Or(l.Project, 1_000)
	return &Audience{limits: l, drain: drain, named: map[name]int{}}
}

// Draining tells whether the node stops.
func (a *Audience) Draining() bool { return a.drain.Err() != nil }

// Wait waits until all streams have ended.
func (a *Audience) Wait() { a.open.Wait() }

// Stats tells how many streams are open.
func (a *Audience) Stats() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all
}

// Enter counts a stream. RATE_LIMITED when there are too many, or the node stops.
func (a *Audience) Enter() (*Seat, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all >= a.limits.Streams {
		return nil, hark.Errorf(hark.RateLimited, "this node has %d streams open: try again later", a.limits.Streams)
	}
	a.all++
	a.open.Add(1)
	return &Seat{audience: a}, nil
}

// A Seat is one stream's place.
type Seat struct {
	audience *Audience
	names    []name
	left     bool
}

// Identity counts the stream for an identity. RATE_LIMITED when it has too many.
func (s *Seat) Identity(id hark.ID) error {
	return s.count(name{"identity", id}, s.audience.limits.Identity)
}

// Project counts the stream for a project. RATE_LIMITED when it has too many.
func (s *Seat) Project(id hark.ID) error {
	return s.count(name{"project", id}, s.audience.limits.Project)
}

func (s *Seat) count(n name, limit int) error {
	a := s.audience
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.named[n] >= limit {
		return hark.Errorf(hark.RateLimited, "this %s has %d streams open on this node: close one, or try again later", n.kind, limit)
	}
	a.named[n]++
	s.names = append(s.names, n)
	return nil
}

// Leave gives the place back. Leaving twice is leaving once.
func (s *Seat) Leave() {
	a := s.audience
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.left {
		return
	}
	s.left = true
	a.all--
	a.open.Done()
	for _, n := range s.names {
		if a.named[n]--; a.named[n] == 0 {
			delete(a.named, n)
		}
	}
}

// OnDrain calls home when it is this stream's turn to end because the node
// stops. stop takes that back.
func (s *Seat) OnDrain(home func()) (stop func() bool) {
	return context.AfterFunc(s.audience.drain, func() {
		within := min(spread, time.Duration(s.audience.Stats())*pace)
		time.AfterFunc(rand.N(within+1), home)
	})
}
