package projectevents

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/sse"
)

// maxLine is the longest line of a frame in bytes, line break included; some
// readers have a buffer of that size.
const maxLine = 64 << 10

// frames gives the frames of an event. An array that would make a line too long
// is split over several frames; only the last has the id, so that who is cut
// off between them gets all of them again. A value that is too long by itself is
// one frame of several data lines, broken between the parts of JSON; and where
// a text in it is too long for that, it is left out.
func frames(e *hark.Event) []byte {
	head, tail := envelope(e)
	room := maxLine - len("data: \n") - len(head) - len(tail)
	parts := [][]byte{oneLine(e.Payload)}
	if len(parts[0]) > room {
		parts = split(parts[0], room)
	}
	var b []byte
	for i, part := range parts {
		id := ""
		if i == len(parts)-1 {
			id = e.Cursor().String()
		}
		data := append(append(append(make([]byte, 0, len(head)+len(part)+len(tail)), head...), part...), tail...)
		if len(part) > room {
			data = fold(data, maxLine-len("data: \n"))
		}
		if data == nil {
			data = omitted(e, head)
		}
		b = sse.AppendFrame(b, id, e.EventType(), data)
	}
	return b
}

// omitted tells of an event whose payload does not fit, and where to read it.
func omitted(e *hark.Event, head []byte) []byte {
	return fmt.Appendf(nil, `%snull,"omitted":{"eventId":%q,"bytes":%d}}}`, head, e.ID, len(e.Payload))
}

// fold breaks JSON into lines of at most room bytes, where a line break means
// nothing; nil if a text in it is too long.
func fold(data []byte, room int) (b []byte) {
	start, last := 0, 0 // of the line, and where it can be broken at last
	inside := false     // a text
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case !inside && (c == ',' || c == ':' || c == '[' || c == '{' || c == ' '):
			last = i + 1
		}
		if i+1-start > room {
			if last <= start {
				return nil
			}
			b = append(append(b, data[start:last]...), '\n')
			start = last
		}
	}
	if len(data)-start > room {
		return nil
	}
	return append(b, data[start:]...)
}

// envelope gives what stands around the payload.
func envelope(e *hark.Event) (head, tail []byte) {
	head = append(head, `{"projectType":`...)
	head = append(head, quote(e.SourceService)...)
	head = append(head, `,"data":{"eventType":`...)
	head = append(head, quote(e.EventType())...)
	return append(head, `,"payload":`...), []byte("}}")
}

// quote writes a JSON string, `<` and `>` left as they are.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always can be
	return bytes.TrimSpace(b.Bytes())
}

// oneLine makes a payload that is written over lines fit one: between the
// parts of JSON a line break means what a space does, inside strings it cannot be.
func oneLine(payload []byte) []byte {
	if !bytes.ContainsAny(payload, "\r\n") {
		return payload
	}
	return bytes.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, payload)
}

// split cuts an array into arrays of at most room bytes; what is no array stays whole.
func split(payload []byte, room int) (parts [][]byte) {
	var items []json.RawMessage
	if json.Unmarshal(payload, &items) != nil || len(items) == 0 {
		return [][]byte{payload}
	}
	part := []byte{'['}
	for _, item := range items {
		if len(part) > 1 && len(part)+len(item)+2 > room {
			parts = append(parts, append(part, ']'))
			part = []byte{'['}
		}
		if len(part) > 1 {
			part = append(part, ',')
		}
		part = append(part, item...)
	}
	return append(parts, append(part, ']'))
}
