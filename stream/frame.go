package stream

import (
	"sort"

	"github.com/hark-events/hark"
)

// A Frame is the answer to one event, the same bytes for everyone in a group.
type Frame struct {
	Cursor  hark.Cursor
	Payload []byte
	Shared  bool // another execution had it: nothing was executed for it
}

const (
	// frameOverhead is about what a frame takes beside its payload.
	frameOverhead = 64

	// maxGather is how many bytes of frames are written at once; at least one frame is.
	maxGather = 32 << 10
)

// frames are the newest answers of a group: those for all events from low up to
// before next. Events that did not match have none.
type frames struct {
	list      []Frame
	low, next int64 // sequences
	bytes     int
}

// put adds f, and drops the oldest frames beyond maxBytes, but none from spared
// on. They are not cleared, as someone may be writing them.
func (s *frames) put(f Frame, maxBytes int, spared int64) {
	s.list = append(s.list, f)
	s.bytes += frameOverhead + len(f.Payload)
	s.next = f.Cursor.Sequence + 1
	for s.bytes > maxBytes && s.list[0].Cursor.Sequence < spared {
		s.bytes -= frameOverhead + len(s.list[0].Payload)
		s.low = s.list[0].Cursor.Sequence + 1
		s.list = s.list[1:]
	}
}

// from gives the frames from a sequence on. They stay as they are while others are put.
func (s *frames) from(sequence int64) []Frame {
	i := sort.Search(len(s.list), func(i int) bool { return s.list[i].Cursor.Sequence >= sequence })
	return s.list[i:]
}

// clear drops all frames.
func (s *frames) clear() { *s = frames{low: s.next, next: s.next} }
