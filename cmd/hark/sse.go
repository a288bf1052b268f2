package main

import (
	"bufio"
	"bytes"
	"io"
	"iter"
)

// maxLine is the longest line of a stream, in bytes: a payload of 256 KiB
// written with escapes, and what stands around it.
const maxLine = 4 << 20

// message is one message of a stream of server-sent events.
type message struct {
	event, id string
	data      []byte
}

// readSSE yields the messages of a stream until it ends, which yields no error.
func readSSE(r io.Reader) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 64<<10), maxLine)
		var m message
		for lines.Scan() {
			line := lines.Bytes()
			if len(line) == 0 {
				if m.event != "" || m.id != "" || m.data != nil {
					if !yield(m, nil) {
						return
					}
				}
				m = message{}
				continue
			}
			field, value, _ := bytes.Cut(line, []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			switch string(field) {
			case "event":
				m.event = string(value)
			case "id":
				m.id = string(value)
			case "data":
				if m.data != nil {
					m.data = append(m.data, '\n')
				}
				m.data = append(m.data, value...)
			}
		}
		if err := lines.Err(); err != nil {
			yield(message{}, err)
		}
	}
}
