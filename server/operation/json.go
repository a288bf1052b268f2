package operation

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// What is here walks over JSON that is known to be well-formed, without a copy:
// encoding/json would read nested values once for each level of nesting.

// members yields the members of an object in their order.
func members(object []byte) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for b := space(object[1:]); b[0] != '}'; {
			name, rest := cut(b)
			value, rest := cut(space(space(rest)[1:])) // behind the colon
			if !yield(text(name), value) {
				return
			}
			b = next(rest)
		}
	}
}

// items yields the items of an array.
func items(array []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		for b := space(array[1:]); b[0] != ']'; {
			item, rest := cut(b)
			if !yield(item) {
				return
			}
			b = next(rest)
		}
	}
}

// next gives what follows the comma, if there is one.
func next(b []byte) []byte {
	b = space(b)
	if b[0] == ',' {
		return space(b[1:])
	}
	return b
}

func space(b []byte) []byte { return bytes.TrimLeft(b, " \t\r\n") }

// cut gives the value that b begins with, and the rest.
func cut(b []byte) (value, rest []byte) {
	n := 0
	switch b[0] {
	case '"':
		n = stringEnd(b)
	case '{', '[':
		n = nestEnd(b)
	default: // a number, true, false or null
		for n < len(b) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(b[n])) {
			n++
		}
	}
	return b[:n:n], b[n:]
}

// stringEnd is the length of the string that b begins with.
func stringEnd(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// nestEnd is the length of the object or array that b begins with.
func nestEnd(b []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// text gives what a JSON string says.
func text(raw []byte) (s string) {
	if inner := raw[1 : len(raw)-1]; !bytes.ContainsRune(inner, '\\') && utf8.Valid(inner) {
		return string(inner)
	}
	_ = json.Unmarshal(raw, &s) // it is known to be a string
	return s
}
