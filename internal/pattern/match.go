package pattern

import (
	"strings"
	"unicode/utf8"
)

func decode(s string) (rune, int) { return utf8.DecodeRuneInString(s) }

// match walks the segments of s. Behind each ** it goes back at most to the
// latest one: where two places fit what follows a **, the earlier one leaves
// more to choose from, so earlier ** never have to be tried again.
func (a *alternative) match(s string) bool {
	switch a.kind {
	case exact:
		return s == a.prefix
	case under:
		rest, ok := strings.CutPrefix(s, a.prefix)
		return ok && (rest == "" || rest[0] == '/' && !strings.Contains(rest, "/."))
	}
	p, at := 0, 0 // the next segment of the glob, and of s as an offset
	deep, mark := -1, 0
	for at <= len(s) {
		text, next := cut(s, at)
		switch {
		case p < len(a.segments) && a.segments[p].deep:
			deep, mark = p, at
			p++
		case p < len(a.segments) && a.segments[p].match(text):
			p, at = p+1, next
		case deep >= 0:
			taken, after := cut(s, mark)
			if strings.HasPrefix(taken, ".") {
				return false
			}
			p, at, mark = deep+1, after, after
		default:
			return false
		}
	}
	for p < len(a.segments) && a.segments[p].deep {
		p++
	}
	return p == len(a.segments)
}

// cut gives the segment of s that begins at the offset, and where the next one
// begins: behind the end of s when there is none.
func cut(s string, at int) (text string, next int) {
	if i := strings.IndexByte(s[at:], '/'); i >= 0 {
		return s[at : at+i], at + i + 1
	}
	return s[at:], len(s) + 1
}

// match tells whether the segment, which is not **, matches all of text.
func (s *segment) match(text string) bool {
	if s.literal {
		return text == s.text
	}
	if text == "" || s.wild() && strings.HasPrefix(text, ".") {
		return false
	}
	p, at := 0, 0
	star, mark := -1, 0
	for at < len(text) {
		r, size := decode(text[at:])
		switch {
		case p < len(s.runes) && s.runes[p] == many:
			star, mark = p, at
			p++
		case p < len(s.runes) && (s.runes[p] == r || s.runes[p] == one):
			p, at = p+1, at+size
		case star >= 0:
			_, size := decode(text[mark:])
			mark += size
			p, at = star+1, mark
		default:
			return false
		}
	}
	for p < len(s.runes) && s.runes[p] == many {
		p++
	}
	return p == len(s.runes)
}
