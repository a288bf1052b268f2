package delivery

import (
	"strconv"
	"unicode/utf8"

	"github.com/hark-events/hark"
)

// envelopeSize is room enough for an envelope without its payload, as a rule.
const envelopeSize = 1 << 10

// AppendJSON appends the envelope of d as JSON, in the order of docs and with
// null for what the event does not have. The payload is byte for byte what was
// published. A buffer is not reused between callbacks: net/http may still read
// a request's body after the answer came.
func AppendJSON(b []byte, d *hark.Delivery) []byte {
	e := d.Event
	b = grow(b, len(e.Payload)+len(e.Path)+envelopeSize)
	b = appendID(append(b, `{"id":`...), e.ID)
	b = appendID(append(b, `,"deliveryId":`...), d.ID)
	b = strconv.AppendInt(append(b, `,"attempt":`...), int64(d.Attempt), 10)
	b = strconv.AppendBool(append(b, `,"test":`...), d.Test)
	b = appendID(append(b, `,"projectId":`...), e.ProjectID)
	b = strconv.AppendInt(append(b, `,"sequence":`...), e.Sequence, 10)
	b = appendString(append(b, `,"sourceService":`...), e.SourceService)
	b = appendString(append(b, `,"resourceType":`...), e.ResourceType)
	b = appendString(append(b, `,"operationType":`...), e.OperationType)
	b = appendString(append(b, `,"eventType":`...), e.EventType())
	b = appendOptional(append(b, `,"environment":`...), e.Environment)
	b = appendOptional(append(b, `,"path":`...), e.Path)
	b = appendOptional(append(b, `,"actor":`...), e.Actor)
	b = appendTime(append(b, `,"occurredAt":`...), e.OccurredAt)
	b = appendTime(append(b, `,"publishedAt":`...), e.PublishedAt)
	b = appendPayload(append(b, `,"payload":`...), e.Payload)
	return append(b, '}')
}

// grow makes room for n more bytes, so that what is appended copies once.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, len(b)+n), b...)
}

func appendPayload(b []byte, p hark.JSON) []byte {
	if len(p) == 0 {
		return append(b, "null"...)
	}
	return append(b, p...)
}

func appendID(b []byte, id hark.ID) []byte {
	b, _ = id.AppendText(append(b, '"')) // never fails
	return append(b, '"')
}

func appendTime(b []byte, t hark.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b, _ = t.AppendText(append(b, '"')) // never fails
	return append(b, '"')
}

func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

// appendString appends s as a JSON string. Only what JSON demands is escaped:
// encoding/json would escape < and > as well.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
