package delivery

import (
	"html"
	"strings"
)

const (
	// maxEscapes is how many times a text may have been escaped: a page that
	// quotes a Fault that quotes a message.
	maxEscapes = 3
	// maxEscape is the longest escape that is resolved, such as &#x00000041;.
	maxEscape = 12
)

// redactEscaped takes secrets out of text, as they are and escaped as HTML or
// XML up to maxEscapes times. It takes time that grows with the text alone.
func redactEscaped(text string, secrets []string) string {
	secret := make([]bool, len(text)) // by byte
	for r, level := newReading(text), 0; level <= maxEscapes; level++ {
		for _, s := range secrets {
			if len(s) < minRedacted {
				continue
			}
			for from := 0; ; {
				i := strings.Index(r.text[from:], s)
				if i < 0 {
					break
				}
				begin, end := from+i, from+i+len(s)
				for at := r.from[begin]; at < r.from[end]; at++ {
					secret[at] = true
				}
				from = end
			}
		}
		if !r.unescape() {
			break
		}
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case !secret[i]:
			b.WriteByte(text[i])
		case i == 0 || !secret[i-1]:
			b.WriteString(redacted)
		}
	}
	return b.String()
}

// A reading is a text, and for each of its bytes and its end the place in the
// first text that it was read from.
type reading struct {
	text string
	from []int
}

func newReading(text string) *reading {
	r := &reading{text, make([]int, len(text)+1)}
	for i := range r.from {
		r.from[i] = i
	}
	return r
}

// unescape resolves the escapes in the text once, and tells whether there were any.
func (r *reading) unescape() bool {
	var b strings.Builder
	from := make([]int, 0, len(r.from))
	found := false
	for i := 0; i < len(r.text); {
		size, meant := 1, r.text[i:i+1]
		if r.text[i] == '&' {
			if end := strings.IndexByte(r.text[i:min(len(r.text), i+maxEscape)], ';'); end > 0 {
				escape := r.text[i : i+end+1]
				if resolved := html.UnescapeString(escape); resolved != escape {
					size, meant, found = len(escape), resolved, true
				}
			}
		}
		for range len(meant) {
			from = append(from, r.from[i])
		}
		b.WriteString(meant)
		i += size
	}
	r.text, r.from = b.String(), append(from, r.from[len(r.from)-1])
	return found
}
