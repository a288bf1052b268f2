package pattern

import "slices"

// maxOverlap bounds the work of Overlaps, which is the product of both sizes.
const maxOverlap = 1 << 16

// Overlaps tells whether some string may match both globs. It is exact but for
// very long globs, where it says yes.
func (g Glob) Overlaps(other Glob) bool {
	if g.size*other.size > maxOverlap {
		return true
	}
	for i := range g.alternatives {
		for j := range other.alternatives {
			if overlap(g.alternatives[i].segments, other.alternatives[j].segments) {
				return true
			}
		}
	}
	return false
}

// Covers tells whether g surely matches all that other matches. It knows the
// literal globs, the same glob, those that have `*` for a whole segment, and
// those that end in `/**`; else it says no.
func (g Glob) Covers(other Glob) bool {
	for i := range other.alternatives {
		if !g.covers(&other.alternatives[i]) {
			return false
		}
	}
	return true
}

func (g Glob) covers(b *alternative) bool {
	if b.kind == exact {
		return b.prefix == "" || g.Match(b.prefix) // the empty one matches nothing
	}
	for i := range g.alternatives {
		if g.alternatives[i].covers(b) {
			return true
		}
	}
	return false
}

func (a *alternative) covers(b *alternative) bool {
	n := 0 // segments that are covered one by one
	for n < len(a.segments) && n < len(b.segments) && a.segments[n].covers(&b.segments[n]) {
		n++
	}
	if n == len(a.segments) && n == len(b.segments) {
		return true
	}
	if n != len(a.segments)-1 || !a.segments[n].deep {
		return false
	}
	for _, s := range b.segments[n:] {
		if s.hidden() {
			return false
		}
	}
	return true
}

// covers tells whether s surely matches what b does: the same, or `*` whatever
// has a first character that is no dot.
func (s *segment) covers(b *segment) bool {
	if s.deep || b.deep {
		return s.deep && b.deep
	}
	return slices.Equal(s.runes, b.runes) || len(s.runes) == 1 && s.runes[0] == many && !b.hidden() && len(b.runes) > 0
}

// overlap fills a table from the end: can a[i:] and b[j:] match the same text?
func overlap(a, b []segment) bool {
	width := len(b) + 1
	table := make([]bool, (len(a)+1)*width)
	for i := len(a); i >= 0; i-- {
		for j := len(b); j >= 0; j-- {
			may := i == len(a) && j == len(b)
			if i < len(a) && a[i].deep {
				may = table[(i+1)*width+j] || j < len(b) && !b[j].hidden() && table[i*width+j+1]
			}
			if !may && j < len(b) && b[j].deep {
				may = table[i*width+j+1] || i < len(a) && !a[i].hidden() && table[(i+1)*width+j]
			}
			if !may && i < len(a) && j < len(b) && !a[i].deep && !b[j].deep {
				may = table[(i+1)*width+j+1] && overlapSegment(&a[i], &b[j])
			}
			table[i*width+j] = may
		}
	}
	return table[0]
}

// overlapSegment tells whether some text between slashes matches both.
func overlapSegment(a, b *segment) bool {
	switch {
	case a.literal:
		return b.match(a.text)
	case b.literal:
		return a.match(b.text)
	}
	width := len(b.runes) + 1
	// Two layers: the text has begun, or its first character, without which no
	// wildcard matches and which a leading one forbids to be a dot, is to come.
	begun := make([]bool, (len(a.runes)+1)*width)
	fresh := make([]bool, len(begun))
	for i := len(a.runes); i >= 0; i-- {
		for j := len(b.runes); j >= 0; j-- {
			at := i*width + j
			begun[at] = step(a.runes, b.runes, i, j, begun, begun, true, false)
			fresh[at] = step(a.runes, b.runes, i, j, fresh, begun, false, a.wild() || b.wild())
		}
	}
	return fresh[0]
}

// step fills one cell: here is the layer while nothing is consumed, next the
// one behind a character; the text may end here if end says so.
func step(a, b []rune, i, j int, here, next []bool, end, noDot bool) bool {
	width := len(b) + 1
	if i == len(a) && j == len(b) {
		return end
	}
	x, y := rune(0), rune(0) // 0: at the end, where no character can follow
	if i < len(a) {
		if x = a[i]; x == many && here[(i+1)*width+j] {
			return true
		}
	}
	if j < len(b) {
		if y = b[j]; y == many && here[i*width+j+1] {
			return true
		}
	}
	if x == 0 || y == 0 || x > 0 && y > 0 && x != y || noDot && (x == '.' || y == '.') {
		return false
	}
	if x != many {
		i++
	}
	if y != many {
		j++
	}
	return next[i*width+j]
}
