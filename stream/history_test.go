package stream_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/stream"
)

// A network is a broker that may do whatever a broker may do.
type network struct {
	*pubsub.Local
	mu      sync.Mutex
	handles map[hark.ID]func([]*hark.Event)
	random  *rand.Rand // nil: all goes well
}

func newNetwork() *network {
	return &network{Local: pubsub.NewLocal(), handles: map[hark.ID]func([]*hark.Event){}}
}

func (n *network) Subscribe(project hark.ID, handle func([]*hark.Event)) func() {
	n.mu.Lock()
	n.handles[project] = handle
	n.mu.Unlock()
	return n.Local.Subscribe(project, handle)
}

// doubt says what a network says that has been away.
func (n *network) doubt(project hark.ID) {
	n.mu.Lock()
	handle := n.handles[project]
	n.mu.Unlock()
	if handle != nil {
		handle(nil)
	}
}

// Publish loses, repeats, delays and so reorders events one by one.
func (n *network) Publish(project hark.ID, events []*hark.Event) {
	if n.random == nil {
		n.Local.Publish(project, events)
		return
	}
	for _, e := range events {
		for range n.random.IntN(3) { // a third is lost, a third comes twice
			delay := time.Duration(n.random.IntN(10)) * time.Millisecond
			if n.random.IntN(2) == 0 {
				delay = 0
			}
			time.AfterFunc(delay, func() { n.Local.Publish(project, []*hark.Event{e}) })
		}
	}
	if n.random.IntN(10) == 0 {
		n.doubt(project)
	}
}

// TestHistories lets everything happen that may happen, and has readers check
// that each gets every event once, in order.
func TestHistories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { history(t, seed) })
		})
	}
}

func history(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	const total = 2000
	l, n := newMemory(), newNetwork()
	n.random = rand.New(rand.NewPCG(seed, 2))
	retention := int64(total)
	if seed%3 == 1 {
		retention = 100
	}
	broken := rand.New(rand.NewPCG(seed, 3))
	l.broken = func() bool { return broken.IntN(5) == 0 }
	h, stop := run(t, l, n, stream.Config{RingEvents: 1 + random.IntN(64), RingBytes: 20_000, Reads: 2})

	var g sync.WaitGroup
	for reader := range uint64(12) {
		g.Go(func() {
			follow(t, h, l, rand.New(rand.NewPCG(seed, 100+reader)), total, retention < total)
		})
	}
	for committed := 0; committed < total; {
		k := min(1+random.IntN(40), total-committed)
		events := l.commit(k)
		committed += k
		l.change(func(l *memory) { l.oldest = max(l.oldest, int64(committed)-retention) })
		n.Publish(l.project, events)
		if random.IntN(3) > 0 {
			<-time.After(time.Duration(random.IntN(20)) * time.Millisecond)
		}
	}
	g.Wait()
	stop()
}

// follow reads up to the sequence total, now and then from a new connection.
func follow(t *testing.T, h *stream.Hub, l *memory, random *rand.Rand, total int64, mayExpire bool) {
	at := int64(0)
	step := int64(1 + random.IntN(3))
	slow := random.IntN(3) == 0
	for at < total {
		r, err := h.Open(t.Context(), l.project, stream.Options{
			After: &hark.Cursor{Project: l.project, Sequence: at},
			Match: func(e *hark.Event) bool { return e.Sequence%step == 0 || e.Sequence == total },
		})
		for left := 1 + random.IntN(400); err == nil && at < total && left > 0; left-- {
			var e *hark.Event
			if e, err = r.Next(t.Context()); err == nil {
				want := at + 1
				for want%step != 0 && want != total {
					want++
				}
				if e.Sequence != want {
					t.Errorf("got sequence %d behind %d, want %d", e.Sequence, at, want)
					return
				}
				at = e.Sequence
			}
			if slow && random.IntN(20) == 0 {
				<-time.After(time.Duration(random.IntN(100)) * time.Millisecond)
			}
		}
		if r != nil {
			r.Close()
		}
		expired, ok := errors.AsType[*hark.Error](err)
		switch {
		case err == nil || errors.Is(err, errAway):
		case mayExpire && ok && expired.Code == hark.CursorExpired:
			c, err := hark.ParseCursor(l.project, expired.Details["oldestCursor"].(string))
			if err != nil || c.Sequence <= at {
				t.Errorf("expired at %d, but the oldest cursor is %d, %v", at, c.Sequence, err)
				return
			}
			at = c.Sequence
		default:
			t.Errorf("at %d: %v", at, err)
			return
		}
	}
}
