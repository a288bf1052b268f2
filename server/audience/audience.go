package audience

import (
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

// An Audience is all open streams of a node.
type Audience struct {
	limits Limits
	open   sync.WaitGroup

	mu       sync.Mutex
	draining bool
	seats    map[*Seat]struct{}
	named    map[name]int
	met      [limits]uint64
}

// A name is what streams are counted by.
type name struct {
	by Limit // IdentityStreams or ProjectStreams
	id hark.ID
}

// New makes an Audience.
func New(l Limits) *Audience {
	return &Audience{limits: l.withDefaults(), seats: map[*Seat]struct{}{}, named: map[name]int{}}
}

// Drain sends all home, because the node stops. It returns at once.
func (a *Audience) Drain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining {
		return
	}
	a.draining = true
	for s := range a.seats {
		s.sendHome()
	}
}

// Draining tells whether the node stops.
func (a *Audience) Draining() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.draining
}

// Wait waits until all streams have ended.
func (a *Audience) Wait() { a.open.Wait() }

// Limits are those in force.
func (a *Audience) Limits() Limits { return a.limits }

// Stats tells how many streams are open, and how often each limit was met.
func (a *Audience) Stats() (open int, met map[Limit]uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	met = make(map[Limit]uint64, limits)
	for l, n := range a.met {
		met[Limit(l)] = n
	}
	return len(a.seats), met
}

// Meet counts that a limit was met, and gives the refusal: RATE_LIMITED.
func (a *Audience) Meet(l Limit, format string, args ...any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.meet(l, format, args...)
}

// retryAfter is when a refused client should come back.
const retryAfter = 5 * time.Second

func (a *Audience) meet(l Limit, format string, args ...any) error {
	a.met[l]++
	return hark.TooOften(retryAfter, format, args...)
}

// Enter counts a stream. RATE_LIMITED when there are too many.
func (a *Audience) Enter() (*Seat, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.seats) >= a.limits.Streams {
		return nil, a.meet(Streams, "this node has %d streams open: try again later", a.limits.Streams)
	}
	s := &Seat{audience: a}
	a.seats[s] = struct{}{}
	a.open.Add(1)
	return s, nil
}

// A Seat is one stream's place.
type Seat struct {
	audience *Audience
	names    []name
	home     func() // nil: it ends by itself
	left     bool
}

// Identity counts the stream for an identity. RATE_LIMITED when it has too many.
func (s *Seat) Identity(id hark.ID) error {
	return s.count(name{IdentityStreams, id}, s.audience.limits.Identity)
}

// Project counts the stream for a project. RATE_LIMITED when it has too many.
func (s *Seat) Project(id hark.ID) error {
	return s.count(name{ProjectStreams, id}, s.audience.limits.Project)
}

func (s *Seat) count(n name, limit int) error {
	a := s.audience
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.named[n] >= limit {
		return a.meet(n.by, "this %s has %d streams open on this node: close one, or try again later", n.by, limit)
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
	delete(a.seats, s)
	a.open.Done()
	for _, n := range s.names {
		if a.named[n]--; a.named[n] == 0 {
			delete(a.named, n)
		}
	}
}

// OnDrain calls home when it is this stream's turn to end because the node
// stops, unless it has left by then.
func (s *Seat) OnDrain(home func()) {
	a := s.audience
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.home = home; a.draining {
		s.sendHome()
	}
}

// sendHome is called with the mutex held.
func (s *Seat) sendHome() {
	if s.home == nil || s.left {
		return
	}
	within := min(spread, time.Duration(len(s.audience.seats))*pace)
	time.AfterFunc(rand.N(within+1), s.home)
}
