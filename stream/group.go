package stream

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// maxFrames is how many bytes of answers a group keeps at most, and
	// memberFrames how many it keeps for each member.
	maxFrames    = 1 << 20
	memberFrames = 32 << 10

	// perWriter is how many members a goroutine writes to before it is worth
	// while to share the work.
	perWriter = 512

	// perTurn is after how many writes, about a millisecond of them, others get the
	// processor: what is published meanwhile goes with the next round.
	perTurn = 128
)

// A group is an execution and those who get its answers. It reads on while
// anybody has read all that there is: who is slower takes the answers that are
// kept, and who falls behind these leaves.
type group struct {
	topic *topic
	exec  Execution // of run alone
	state atomic.Int32

	// Guarded by topic.mu.
	frames  frames
	served  int64 // members that are not behind have what is below, or are getting it
	members []*Member
	behind  int           // of the members
	round   chan struct{} // closed at the end of the round of writes that is under way
	ended   bool          // nobody is left; run closes it
	failed  error         // what TryNext said; nobody joins any more

	batch []turn // of run alone
	place place
}

// A turn is a member in a round of writes, and the sequence to begin with.
type turn struct {
	m    *Member
	from int64
}

// The states of a group.
const (
	asleep int32 = iota
	running
	again // running, and to look once more
)

// wake makes the group read on.
func (g *group) wake() {
	for {
		switch g.state.Load() {
		case asleep:
			if g.state.CompareAndSwap(asleep, running) {
				if !g.topic.key.Waits {
					g.topic.cycle.enter(&g.place)
				}
				go g.run()
				return
			}
		case running:
			if g.state.CompareAndSwap(running, again) {
				return
			}
		default:
			return
		}
	}
}

// run reads and writes until there is nothing to do.
func (g *group) run() {
	cycle := g.topic.cycle
	for more := false; ; {
		live := !more && !g.topic.key.Waits // who has much to read on is no part of a cycle
		if live {
			cycle.begin(&g.place)
		}
		g.state.Store(running)
		var err error
		more, err = g.read()
		if live {
			cycle.turn()
		}
		answers := g.write()
		if live {
			cycle.end(&g.place, answers)
		}
		if err != nil {
			g.topic.end(g, err)
		}
		if g.topic.settle(g) {
			g.exec.Close()
			return // without falling asleep: nobody wakes it any more
		}
		if !more && g.state.CompareAndSwap(running, asleep) {
			return
		}
	}
}

// read takes answers, as many as are written at once; more tells that there
// may be others.
func (g *group) read() (more bool, err error) {
	t := g.topic
	for bytes := 0; bytes < maxGather; {
		t.mu.Lock()
		wanted := !g.ended && len(g.members) > g.behind
		t.mu.Unlock()
		if !wanted {
			return false, nil
		}
		f, ok, err := g.exec.TryNext()
		if err != nil {
			return false, err
		}
		t.mu.Lock()
		if ok {
			bytes += len(f.Payload)
			g.frames.put(f, min(maxFrames, memberFrames*len(g.members)), g.served)
		} else {
			g.frames.next = max(g.frames.next, g.exec.Cursor().Sequence+1)
		}
		t.mu.Unlock()
		if !ok {
			return false, nil
		}
		if !f.Shared {
			t.groups.executed.Add(1)
		}
	}
	return true, nil
}

// write brings those who are not behind to the end of what was read, and tells
// how many answers that was. Who does not take them at once is behind from then on.
func (g *group) write() (answers int) {
	t := g.topic
	t.mu.Lock()
	from := g.served
	view := g.frames.from(from)
	g.served = g.frames.next
	if len(view) == 0 {
		t.mu.Unlock()
		return 0
	}
	end := g.served
	g.batch = g.batch[:0]
	for _, m := range g.members {
		if !m.behind {
			g.batch = append(g.batch, turn{m, max(from, m.next)})
		}
	}
	g.round = make(chan struct{})
	t.mu.Unlock()

	writers := min(runtime.GOMAXPROCS(0), len(g.batch)/perWriter+1)
	size := (len(g.batch) + writers - 1) / writers
	var all sync.WaitGroup
	for part := range writers {
		turns := g.batch[min(part*size, len(g.batch)):min((part+1)*size, len(g.batch))]
		if part == writers-1 {
			g.writeTo(turns, view, end)
			continue
		}
		all.Go(func() { g.writeTo(turns, view, end) })
	}
	all.Wait()
	clear(g.batch)

	t.mu.Lock()
	close(g.round)
	g.round = nil
	t.mu.Unlock()
	return len(view)
}

// writeTo writes to each its part of view, up to the sequence end.
func (g *group) writeTo(turns []turn, view []Frame, end int64) {
	p, sent := newPacket(), uint64(0)
	defer func() {
		p.free()
		g.topic.groups.sent.Add(sent)
	}()
	for i, turn := range turns {
		if i%perTurn == perTurn-1 {
			g.topic.groups.yielder.yield()
		}
		p.encode(turn.m, view, turn.from, end, math.MaxInt)
		if len(p.bytes) == 0 {
			continue
		}
		err := turn.m.sink.TryWrite(p.bytes)
		if err == nil || err == ErrRest {
			sent += p.frames
		}
		if err != nil {
			p.forget()
			g.fell(turn, end, err)
		}
	}
}

// fell notes that a member has not taken its turn at once.
func (g *group) fell(turn turn, end int64, err error) {
	t, m := g.topic, turn.m
	t.mu.Lock()
	defer t.mu.Unlock()
	switch err {
	case ErrRest:
		m.next = end
	case ErrBusy:
		m.next = turn.from
	default:
		if m.group != nil {
			g.remove(m)
		}
		return
	}
	if m.group != nil { // else who removed it sees to the rest
		m.behind = true
		g.behind++
		go m.catchUp()
	}
}

// remove takes m out. It is called with the topic's mutex held.
func (g *group) remove(m *Member) {
	last := len(g.members) - 1
	moved := g.members[last]
	g.members[m.slot], moved.slot = moved, m.slot
	g.members[last] = nil
	g.members = g.members[:last]
	if m.behind {
		g.behind--
	} else if m.next < g.served {
		m.next = g.served
	}
	m.group = nil
	g.topic.groups.members.Add(-1)
	if last == 0 {
		g.ended = true
		g.wake() // to close
	}
}
