package stream

import "sync"

// A packet is frames as they are written to a sink, encoded once for all sinks
// of a lane that follow each other.
type packet struct {
	lane      string
	from, end int64 // the sequences that were asked for
	next      int64 // behind those that it has
	bytes     []byte
	frames    uint64 // in bytes
}

// keptPacket is from how many bytes on a packet's memory is not used again: the
// sink may still have it.
const keptPacket = 64 << 10

// packets are those that nobody uses: ten thousand members that come back have a
// packet each, one after the other.
var packets = sync.Pool{New: func() any { return new(packet) }}

// newPacket gives an empty packet, to be freed.
func newPacket() *packet { return packets.Get().(*packet) }

// free gives the packet back.
func (p *packet) free() {
	p.forget()
	*p = packet{bytes: p.bytes[:0]}
	packets.Put(p)
}

// encode puts the frames of view from from to before end into p.bytes: about
// limit bytes of them, at least one. p.next is where to go on.
func (p *packet) encode(m *Member, view []Frame, from, end int64, limit int) {
	if p.lane != m.lane || p.from != from || p.end != end || len(p.bytes) == 0 {
		p.lane, p.from, p.end = m.lane, from, end
		p.bytes, p.frames = p.bytes[:0], 0
		for _, f := range view {
			switch sequence := f.Cursor.Sequence; {
			case sequence < from:
				continue
			case sequence >= end:
			case len(p.bytes) >= limit:
				p.next = sequence
				return
			default:
				p.bytes = m.sink.Append(p.bytes, f)
				p.frames++
			}
		}
		p.next = end
	}
}

// forget lets go of bytes that a sink may still have.
func (p *packet) forget() {
	if cap(p.bytes) >= keptPacket {
		p.bytes = nil
	}
}
