package pattern

import (
	"errors"
	"fmt"
	"strings"
)

// Wildcards inside a segment; no rune of text is negative.
const (
	one  rune = -1 // ?
	many rune = -2 // *
)

// A segment is what a glob says about the text between two slashes.
type segment struct {
	deep    bool   // ** : any number of segments
	literal bool   // no wildcard: text is all it matches
	text    string // without escapes, when literal
	runes   []rune // with one and many for the wildcards
}

// hidden tells whether the segment matches only text that begins with a dot.
func (s *segment) hidden() bool { return len(s.runes) > 0 && s.runes[0] == '.' }

// wild tells whether the segment begins with a wildcard.
func (s *segment) wild() bool { return s.deep || len(s.runes) > 0 && s.runes[0] < 0 }

// A kind picks the cheapest way to match.
type kind int

const (
	general kind = iota
	exact        // prefix alone
	under        // prefix and all below it
)

// An alternative is a glob without braces.
type alternative struct {
	kind     kind
	prefix   string
	segments []segment // never empty
}

// parse reads a glob without braces.
func parse(text string) (alternative, error) {
	a := alternative{segments: make([]segment, 1)}
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		last := &a.segments[len(a.segments)-1]
		switch r {
		case '/':
			a.segments = append(a.segments, segment{})
			i++
			continue
		case '*':
			r = many
		case '?':
			r = one
		case '[':
			return alternative{}, errors.New(`a glob has no character classes: write \[ for the character, or {a,b} for a choice`)
		case '\\':
			if i++; i == len(text) {
				return alternative{}, errors.New("a glob must not end with a backslash")
			}
			r, size = decode(text[i:])
		default:
			r, size = decode(text[i:])
		}
		i += size
		if r == '/' {
			return alternative{}, errors.New("a slash in a glob cannot be escaped")
		}
		last.runes = append(last.runes, r)
	}
	for i := range a.segments {
		a.segments[i].finish()
	}
	a.classify()
	return a, nil
}

// finish sorts out what the runes of a segment amount to.
func (s *segment) finish() {
	if len(s.runes) == 2 && s.runes[0] == many && s.runes[1] == many {
		s.deep = true
		return
	}
	s.literal = true
	kept := s.runes[:0]
	for i, r := range s.runes {
		s.literal = s.literal && r >= 0
		if r == many && i > 0 && len(kept) > 0 && kept[len(kept)-1] == many {
			continue // a** is a*
		}
		kept = append(kept, r)
	}
	if s.runes = kept; s.literal {
		s.text = string(s.runes)
	}
}

// classify finds the cheap kinds.
func (a *alternative) classify() {
	n := len(a.segments)
	deep := n > 1 && a.segments[n-1].deep
	if deep {
		n--
	}
	texts := make([]string, n)
	for i, s := range a.segments[:n] {
		if !s.literal {
			return
		}
		texts[i] = s.text
	}
	a.prefix = strings.Join(texts, "/")
	if a.kind = exact; deep {
		a.kind = under
	}
}

// expand appends to all what text stands for when its braces are resolved.
func expand(text string, all []string) ([]string, error) {
	open := index(text, '{')
	if end := index(text, '}'); end >= 0 && (open < 0 || end < open) {
		return nil, errors.New(`a glob has a } without its {: write \} for the character`)
	}
	if open < 0 {
		if len(all) == MaxAlternatives {
			return nil, fmt.Errorf("the braces of a glob stand for at most %d alternatives", MaxAlternatives)
		}
		return append(all, text), nil
	}
	options, rest, ok := choices(text[open+1:])
	if !ok {
		return nil, errors.New(`a glob has a { without its }: write \{ for the character`)
	}
	var err error
	for _, o := range options {
		if all, err = expand(text[:open]+o+rest, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// index finds the first c that no backslash escapes, or gives -1.
func index(text string, c byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case c:
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// choices splits what follows a { at its commas, up to the } that belongs to it.
func choices(text string) (options []string, rest string, ok bool) {
	depth, start := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '{':
			depth++
		case ',':
			if depth == 0 {
				options = append(options, text[start:i])
				start = i + 1
			}
		case '}':
			if depth == 0 {
				return append(options, text[start:i]), text[i+1:], true
			}
			depth--
		}
	}
	return nil, "", false
}
