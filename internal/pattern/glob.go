// Package pattern compiles what people write to choose events: globs, event patterns, registrations.
package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a glob. The last two keep a match linear in the path for all that
// people write and below milliseconds for what they should not.
const (
	MaxGlob         = 1024 // bytes
	MaxAlternatives = 64   // that its braces stand for
	maxExpanded     = 4096 // bytes of all alternatives together
)

// A Glob is a compiled glob. The zero Glob matches nothing.
//
// `*` matches within a segment, `?` one character of it, `**` as a whole segment
// any number of segments, `{a,b}` either; a backslash takes the next character
// as it is. None of the wildcards matches a segment that begins with a dot,
// unless the segment of the glob begins with that dot itself, and `/*` does not
// match `/`, which has no segment. Case counts.
type Glob struct {
	text         string
	size         int // bytes of all alternatives
	alternatives []alternative
}

// CompileGlob compiles a glob of 1 to 1,024 bytes. Its error is one sentence.
func CompileGlob(text string) (Glob, error) {
	switch {
	case text == "":
		return Glob{}, errors.New("a glob must not be empty")
	case len(text) > MaxGlob:
		return Glob{}, fmt.Errorf("a glob has at most %d bytes", MaxGlob)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return Glob{}, errors.New("a glob is UTF-8 text without NUL characters")
	}
	texts, err := expand(text, nil)
	if err != nil {
		return Glob{}, err
	}
	g := Glob{text: text}
	for _, t := range texts {
		if g.size += len(t); g.size > maxExpanded {
			return Glob{}, fmt.Errorf("the braces of a glob stand for at most %d bytes", maxExpanded)
		}
		a, err := parse(t)
		if err != nil {
			return Glob{}, err
		}
		g.alternatives = append(g.alternatives, a)
	}
	return g, nil
}

// CompilePath is CompileGlob for a glob over the paths of events, which must
// begin with '/' (or with `**`), because nothing else ever matches one.
func CompilePath(text string) (Glob, error) {
	g, err := CompileGlob(text)
	if err != nil {
		return Glob{}, err
	}
	for _, a := range g.alternatives {
		first := a.segments[0]
		rooted := first.literal && first.text == "" && len(a.segments) > 1
		if !rooted && !first.deep {
			return Glob{}, errors.New("a glob over paths begins with '/', such as /app/**")
		}
	}
	return g, nil
}

// String is the glob as it was written.
func (g Glob) String() string { return g.text }

// Match tells whether the glob matches all of s. The empty string stands for
// what is not there, and nothing matches that.
func (g Glob) Match(s string) bool {
	if s == "" {
		return false
	}
	for i := range g.alternatives {
		if g.alternatives[i].match(s) {
			return true
		}
	}
	return false
}

// Literals lists all strings that the glob matches; ok is false where a
// wildcard makes them countless.
func (g Glob) Literals() (all []string, ok bool) {
	for _, a := range g.alternatives {
		if a.kind != exact {
			return nil, false
		}
		all = append(all, a.prefix)
	}
	return all, true
}

// Prefix is text that all that the glob matches begins with; it may be empty.
func (g Glob) Prefix() string {
	if len(g.alternatives) != 1 {
		return ""
	}
	a := &g.alternatives[0]
	if a.kind != general {
		return a.prefix
	}
	var b strings.Builder
	for i, s := range a.segments {
		switch {
		case s.deep:
			return strings.TrimSuffix(b.String(), "/") // a ** may match nothing, not even its slash
		case i > 0:
			b.WriteByte('/')
		}
		if !s.literal {
			return b.String()
		}
		b.WriteString(s.text)
	}
	return b.String()
}
