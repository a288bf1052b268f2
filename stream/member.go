package stream

import (
	"errors"

	"github.com/hark-events/hark"
)

// A Writer writes answers to one reader.
type Writer interface {
	// Lane names how frames are encoded, always the same: those of one lane
	// append the same bytes.
	Lane() string
	// Append encodes a frame.
	Append(b []byte, f Frame) []byte

	// TryWrite writes encoded frames without waiting: all of them; or some, and
	// Flush is to follow, ErrRest; or none, ErrBusy. It keeps no b below 64 KiB.
	TryWrite(b []byte) error
	// Flush waits until what was given to TryWrite is written.
	Flush() error
	// Write waits until all is written. It keeps no b. Any other error than those of
	// TryWrite means that there is nobody any more; the writer itself knows.
	Write(b []byte) error
}

// A Sink is where a subscriber's answers go. Its methods may be called by any
// goroutine, but never two for one Member at once.
type Sink interface {
	Writer

	// End says that no more answers come, and why, and behind which event the
	// last one was: ErrBehind, when it is to be joined again from there; else an
	// error of the execution. Leave may run meanwhile.
	End(at hark.Cursor, err error)
}

// Why a write was not done at once.
var (
	ErrBusy = errors.New("the reader takes nothing now")
	ErrRest = errors.New("the reader has not taken all yet")
)

// ErrBehind ends a member that its group has left behind.
var ErrBehind = errors.New("the reader is behind its group")

// A Member is a subscriber: a position in the answers of its group. It has no
// queue, and a goroutine only while its connection takes less than there is.
type Member struct {
	sink  Sink
	lane  string
	topic *topic

	// Guarded by topic.mu.
	group *group // nil: it has left, or ended
	slot  int    // in group.members
	next  int64  // the sequence that is to be sent next; of one that is not behind: at least
	// behind: a goroutine of its own brings it up to its group.
	behind bool
	quiet  chan struct{} // made by Leave, closed when that goroutine ends
}

// Leave ends the membership and tells where it was: nothing is written to the
// sink from then on. It waits for a write that is under way.
func (m *Member) Leave() hark.Cursor {
	t := m.topic
	t.mu.Lock()
	if g := m.group; g != nil {
		g.remove(m)
		round, quiet := g.round, chan struct{}(nil)
		if m.behind {
			m.quiet = make(chan struct{})
			quiet = m.quiet
		}
		t.mu.Unlock()
		for _, c := range []chan struct{}{round, quiet} {
			if c != nil {
				<-c
			}
		}
		_ = m.sink.Flush() // who is gone needs no more
		t.mu.Lock()
	}
	defer t.mu.Unlock()
	return m.cursor()
}

func (m *Member) cursor() hark.Cursor {
	return hark.Cursor{Project: m.topic.project, Sequence: m.next - 1}
}

// catchUp writes what the member's group has and it has not, as fast as the
// sink takes it.
func (m *Member) catchUp() {
	t, p := m.topic, newPacket()
	defer p.free()
	err := m.sink.Flush()
	t.mu.Lock()
	for err == nil && m.group != nil {
		g := m.group
		switch {
		case m.next < g.frames.low:
			err = ErrBehind
			continue
		case m.next >= g.served && g.failed != nil:
			err = g.failed
			continue
		case m.next >= g.served:
			m.behind = false
			g.behind--
			t.mu.Unlock()
			g.wake() // it may have waited for somebody to read on for
			return
		}
		view, end := g.frames.from(m.next), g.served
		t.mu.Unlock()
		p.encode(m, view, m.next, end, maxGather)
		if len(p.bytes) > 0 {
			if err = m.sink.Write(p.bytes); err == nil {
				t.groups.sent.Add(p.frames)
			}
		}
		t.mu.Lock()
		if err == nil {
			m.next = p.next
		}
	}
	var at hark.Cursor
	end := m.group != nil && (errors.Is(err, ErrBehind) || m.group.failed != nil)
	if m.group != nil {
		m.group.remove(m)
		at = m.cursor()
	}
	if m.quiet != nil {
		close(m.quiet)
	}
	t.mu.Unlock()
	if end {
		m.sink.End(at, err)
	}
}
