package pubsub

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/hark-events/hark"
)

// A message between nodes is
//
//	version  1 byte
//	node     16 bytes, the sender
//	count    uvarint
//	events   count times: id 16 bytes, definition 16 bytes, sequence uvarint,
//	         occurredAt varint, publishedAt varint, then as uvarint length and
//	         bytes: sourceService, resourceType, operationType, environment,
//	         path, actor, idempotencyKey, traceparent, payload
//
// The project is the channel's. Another layout is another version: a node
// ignores a version that it does not know and reads the database instead, so
// that nodes of two releases work together.
const (
	wireVersion = 2
	wireHeader  = 1 + len(hark.ID{})
	wireMin     = 2*len(hark.ID{}) + 3 + 9                    // bytes of the smallest event
	wireFixed   = 2*len(hark.ID{}) + 12*binary.MaxVarintLen64 // at most, of an event's ids, numbers and lengths
)

var (
	errVersion = errors.New("a message of another version")
	errMessage = errors.New("a malformed message")
)

// wireSize is the most bytes that e takes in a message.
func wireSize(e *hark.Event) int {
	return wireFixed + len(e.SourceService) + len(e.ResourceType) + len(e.OperationType) +
		len(e.Environment) + len(e.Path) + len(e.Actor) + len(e.IdempotencyKey) + len(e.Traceparent) + len(e.Payload)
}

func encode(node hark.ID, events []*hark.Event) []byte {
	size := wireHeader + binary.MaxVarintLen64
	for _, e := range events {
		size += wireSize(e)
	}
	b := append(make([]byte, 0, size), wireVersion)
	b = append(b, node[:]...)
	b = binary.AppendUvarint(b, uint64(len(events)))
	for _, e := range events {
		b = append(b, e.ID[:]...)
		b = append(b, e.DefinitionID[:]...)
		b = binary.AppendUvarint(b, uint64(e.Sequence))
		b = binary.AppendVarint(b, int64(e.OccurredAt))
		b = binary.AppendVarint(b, int64(e.PublishedAt))
		for _, s := range [...]string{e.SourceService, e.ResourceType, e.OperationType, e.Environment, e.Path, e.Actor, e.IdempotencyKey, e.Traceparent} {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
		b = binary.AppendUvarint(b, uint64(len(e.Payload)))
		b = append(b, e.Payload...)
	}
	return b
}

// decode reads the events of a project out of a message. It returns none for
// the node's own message. What it returns does not hold on to m.
func decode(node, project hark.ID, m string) ([]*hark.Event, error) {
	switch {
	case len(m) == 0:
		return nil, errMessage
	case m[0] != wireVersion:
		return nil, errVersion
	case len(m) < wireHeader:
		return nil, errMessage
	case m[1:wireHeader] == string(node[:]):
		return nil, nil
	}
	d := decoder{rest: m[wireHeader:]}
	count := d.uvarint()
	if count > uint64(len(d.rest)/wireMin) {
		return nil, errMessage
	}
	events := make([]*hark.Event, 0, count)
	before := &hark.Event{}
	for range count {
		e := &hark.Event{ProjectID: project}
		d.id(&e.ID)
		d.id(&e.DefinitionID)
		e.Sequence = int64(d.uvarint())
		e.OccurredAt = hark.Time(d.varint())
		e.PublishedAt = hark.Time(d.varint())
		e.SourceService = d.text(before.SourceService)
		e.ResourceType = d.text(before.ResourceType)
		e.OperationType = d.text(before.OperationType)
		e.Environment = d.text(before.Environment)
		e.Path = d.text(before.Path)
		e.Actor = d.text(before.Actor)
		e.IdempotencyKey = d.text(before.IdempotencyKey)
		e.Traceparent = d.text(before.Traceparent)
		if p := d.bytes(); p != "" {
			e.Payload = hark.JSON(p)
		}
		if d.bad || e.Sequence < 1 {
			return nil, errMessage
		}
		events = append(events, e)
		before = e
	}
	if d.rest != "" {
		return nil, errMessage
	}
	return events, nil
}

// A decoder takes values off the front of rest, until one is bad.
type decoder struct {
	rest string
	bad  bool
}

// number is the front of rest, as binary's functions want it, on the caller's stack.
func (d *decoder) number(buf *[binary.MaxVarintLen64]byte) []byte {
	return buf[:copy(buf[:], d.rest)]
}

// skip takes the n bytes of a number off; n is as of binary.Uvarint.
func (d *decoder) skip(n int) {
	if d.bad = d.bad || n <= 0; !d.bad {
		d.rest = d.rest[n:]
	}
}

func (d *decoder) uvarint() uint64 {
	var buf [binary.MaxVarintLen64]byte
	v, n := binary.Uvarint(d.number(&buf))
	d.skip(n)
	return v
}

func (d *decoder) varint() int64 {
	var buf [binary.MaxVarintLen64]byte
	v, n := binary.Varint(d.number(&buf))
	d.skip(n)
	return v
}

func (d *decoder) id(id *hark.ID) {
	if d.bad = d.bad || len(d.rest) < len(id); !d.bad {
		d.rest = d.rest[copy(id[:], d.rest):]
	}
}

// bytes is a part of the message itself.
func (d *decoder) bytes() (s string) {
	n := d.uvarint()
	if d.bad = d.bad || n > uint64(len(d.rest)); !d.bad {
		s, d.rest = d.rest[:n], d.rest[n:]
	}
	return s
}

// text is a copy, or before where that is equal: neighbours are mostly alike.
func (d *decoder) text(before string) string {
	s := d.bytes()
	if s == before {
		return before
	}
	return strings.Clone(s)
}
