package stream_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/stream"
)

// An echo answers each event with its sequence, and as much as padding.
type echo struct {
	*stream.Reader
	padding string
}

func (x echo) Key() stream.Key { return stream.Key{Operation: "echo", Class: x.Class()} }

func (x echo) TryNext() (stream.Frame, bool, error) {
	e, ok, err := x.Reader.TryNext()
	if !ok {
		return stream.Frame{}, false, err
	}
	return stream.Frame{Cursor: e.Cursor(), Payload: []byte(strconv.FormatInt(e.Sequence, 10) + x.padding)}, true, nil
}

// A listener is a sink whose reader is sometimes slow, and that never rests
// for long: it joins again where it is behind.
type listener struct {
	t    *testing.T
	join func(*listener, int64)
	slow float64       // how often it takes nothing at once
	gate chan struct{} // nil, or what a waiting write waits for

	mu     sync.Mutex
	next   int64  // the sequence to come
	rest   string // of TryWrite
	member *stream.Member
	left   bool
	behind int // how often it was left behind
	ended  error
}

func (l *listener) Lane() string { return "" }

func (l *listener) Append(b []byte, f stream.Frame) []byte {
	return append(append(b, f.Payload...), ' ')
}

func (l *listener) TryWrite(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r := rand.Float64(); {
	case l.rest != "" || r < l.slow/2:
		return stream.ErrBusy
	case r < l.slow:
		half := len(b) / 2
		l.rest = string(b[half:])
		l.take(string(b[:half]) + l.rest)
		return stream.ErrRest
	}
	l.take(string(b))
	return nil
}

func (l *listener) Flush() error {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = ""
	return nil
}

func (l *listener) Write(b []byte) error {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.take(string(b))
	return nil
}

// take reads frames, each of which has to be the next.
func (l *listener) take(b string) {
	if l.left {
		l.t.Error("written to after Leave")
	}
	for _, f := range strings.Fields(b) {
		if want := strconv.FormatInt(l.next, 10); strings.TrimRight(f, ".") != want {
			l.t.Errorf("got %.20s, want %s", f, want)
		}
		l.next++
	}
}

func (l *listener) End(at hark.Cursor, why error) {
	if !errors.Is(why, stream.ErrBehind) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended = why
		return
	}
	l.mu.Lock()
	l.behind++
	if at.Sequence != l.next-1 {
		l.t.Errorf("behind at %d, has all before %d", at.Sequence, l.next)
	}
	l.mu.Unlock()
	go l.join(l, at.Sequence)
}

// leave leaves and gives the position.
func (l *listener) leave() int64 {
	l.mu.Lock()
	m := l.member
	l.mu.Unlock()
	at := m.Leave().Sequence
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = true
	if at != l.next-1 {
		l.t.Errorf("left at %d, has all before %d", at, l.next)
	}
	return at
}

// A hall is a hub, groups on it, and a publisher.
type hall struct {
	t       *testing.T
	log     *memory
	broker  pubsub.Broker
	hub     *stream.Hub
	stop    func()
	groups  *stream.Groups
	padding string
}

func newHall(t *testing.T, padding int) *hall {
	h := &hall{t: t, log: newMemory(), broker: pubsub.NewLocal(), groups: stream.NewGroups(), padding: strings.Repeat(".", padding)}
	h.hub, h.stop = run(t, h.log, h.broker, stream.Config{RingEvents: 64})
	return h
}

func (h *hall) publish(n int) { h.broker.Publish(h.log.project, h.log.commit(n)) }

func (h *hall) join(l *listener, after int64) {
	r := open(h.t, h.hub, h.log, after)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == 0 {
		l.next = r.Cursor().Sequence + 1
	}
	l.member = h.groups.Join(echo{r, h.padding}, l)
}

func (h *hall) listen(after int64, slow float64) *listener {
	l := &listener{t: h.t, join: h.join, slow: slow}
	h.join(l, after)
	return l
}

func TestGroupsBringEachAnswerOnce(t *testing.T) {
	t.Parallel()
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			h := newHall(t, 5000)
			var all []*listener
			for range 60 {
				h.publish(rand.IntN(20))
				switch r := rand.IntN(10); {
				case r < 3:
					all = append(all, h.listen(-1, rand.Float64()))
				case r < 5: // from anywhere
					h.log.mu.Lock()
					last := int64(len(h.log.events))
					h.log.mu.Unlock()
					all = append(all, h.listen(rand.Int64N(last+1), rand.Float64()))
				case r < 6 && len(all) > 0:
					i := rand.IntN(len(all))
					l := all[i]
					all = append(all[:i], all[i+1:]...)
					synctest.Wait() // else it may be on its way back
					at := l.leave()
					again := h.listen(at, l.slow)
					all = append(all, again)
				case r < 7:
					synctest.Wait()
				}
			}
			synctest.Wait()
			last := int64(len(h.log.events))
			for _, l := range all {
				if l.next != last+1 {
					t.Errorf("has all before %d of %d", l.next, last)
				}
			}
			s := h.groups.Stats()
			if s.Members != len(all) || s.Groups != 1 {
				t.Errorf("%+v, %d listeners", s, len(all))
			}
			for _, l := range all {
				l.leave()
			}
			synctest.Wait()
			if s := h.groups.Stats(); s.Members != 0 || s.Groups != 0 {
				t.Errorf("%+v after the last has left", s)
			}
			h.stop()
			if r := h.hub.Stats().Readers; r != 0 {
				t.Errorf("%d readers are open", r)
			}
		})
	}
}

func TestWhoDoesNotReadCostsOnlyItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, 10_000)
		blocked := &listener{t: t, join: h.join, slow: 1, gate: make(chan struct{})}
		h.join(blocked, -1)
		others := []*listener{h.listen(-1, 0), h.listen(-1, 0)}
		for range 30 {
			h.publish(10)
			synctest.Wait()
			for _, l := range others {
				if want := int64(len(h.log.events)) + 1; l.next != want {
					t.Fatalf("the others have all before %d, not %d", l.next, want)
				}
			}
		}
		close(blocked.gate) // now it reads
		synctest.Wait()
		if blocked.next != 301 || blocked.behind == 0 {
			t.Errorf("has all before %d, was left behind %d times", blocked.next, blocked.behind)
		}
		if s := h.groups.Stats(); s.Groups != 1 || s.Executed > 900 {
			t.Errorf("%+v", s)
		}
		h.stop()
		synctest.Wait()
		for _, l := range append(others, blocked) {
			if !errors.Is(l.ended, stream.ErrDraining) {
				t.Errorf("ended with %v", l.ended)
			}
		}
	})
}

func TestGroupsShareTheirExecution(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, 0)
		for range 100 {
			h.listen(-1, 0)
		}
		h.publish(50)
		synctest.Wait()
		if s := h.groups.Stats(); s.Executed != 50 || s.Sent != 5000 || s.Members != 100 || s.Groups != 1 {
			t.Errorf("%+v", s)
		}
		h.stop()
	})
}

// A stuck listener takes the first few answers at once, and of the others those
// from some sequences on only when their gates open.
type stuck struct {
	*listener
	takes int64
	gates map[int64]chan struct{}
}

func (s stuck) at() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

func (s stuck) TryWrite(b []byte) error {
	if s.at() > s.takes {
		return stream.ErrBusy
	}
	return s.listener.TryWrite(b)
}

func (s stuck) Write(b []byte) error {
	if gate := s.gates[s.at()]; gate != nil {
		<-gate
	}
	return s.listener.Write(b)
}

// Groups of whom all are behind come to rest, although either has what the
// other's members need; they are one when somebody reads on.
func TestGroupsBehindComeToRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const round = 4 // answers of 10,000 bytes
		h, soon, late := newHall(t, 10_000), make(chan struct{}), make(chan struct{})
		h.publish(200)
		gates := map[int64]chan struct{}{4*round + 1: soon, 5*round + 1: late}
		var all []*listener
		for _, rounds := range []int64{5, 4} {
			l := &listener{t: t, join: h.join, next: 1}
			l.member = h.groups.Join(echo{open(t, h.hub, h.log, 0), h.padding}, stuck{l, rounds * round, gates})
			all = append(all, l)
			synctest.Wait()
		}
		close(soon)
		synctest.Wait() // the second has come to where the first is, and takes nothing either
		if s := h.groups.Stats(); s.Groups != 2 || s.Sent != 2*5*round || all[0].next != all[1].next {
			t.Errorf("%+v, they have all before %d and %d", s, all[0].next, all[1].next)
		}
		close(late)
		synctest.Wait()
		if s := h.groups.Stats(); s.Groups != 1 || all[0].next != 201 || all[1].next != 201 {
			t.Errorf("%+v, they have all before %d and %d", s, all[0].next, all[1].next)
		}
		h.stop()
	})
}
