package sse

import (
	"bytes"
	"fmt"
)

// Media is the media type of an event stream.
const Media = "text/event-stream"

// AppendFrame appends one event; id and event may be empty. The lines of data
// become lines of their own, as a line break would end it: CR LF and CR are
// read as LF.
func AppendFrame(b []byte, id, event string, data []byte) []byte {
	if id != "" {
		b = fmt.Appendf(b, "id: %s\n", id)
	}
	if event != "" {
		b = fmt.Appendf(b, "event: %s\n", event)
	}
	for more := true; more; {
		end := bytes.IndexAny(data, "\r\n")
		line := data
		if more = end >= 0; more {
			line = data[:end]
			if bytes.HasPrefix(data[end:], []byte("\r\n")) {
				end++
			}
			data = data[end+1:]
		}
		b = append(append(append(b, "data: "...), line...), '\n')
	}
	return append(b, '\n')
}
