package access

import (
	"slices"
	"strings"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/pattern"
)

// Each event is held against every rule of every class of viewers, so most
// rules must fall out in a nanosecond: before a rule's conditions are asked,
// the beginnings of the event's environment and path, as numbers, are compared
// with what the conditions say they begin with.

// headOf is the first eight bytes of a text as a number, padded with zeros.
func headOf(s string) (h uint64) {
	if len(s) >= 8 { // one load
		return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	}
	for i := range len(s) {
		h |= uint64(s[i]) << (i * 8)
	}
	return h
}

// A head is what the events of a region begin with: the first eight bytes of
// the environment, and the first sixteen of the path.
type head struct{ environment, path, path2 uint64 }

func headsOf(environment, path string) (h head) {
	h.environment, h.path = headOf(environment), headOf(path)
	if len(path) > 8 {
		h.path2 = headOf(path[8:])
	}
	return h
}

// A sieve lets an event through that may be of a region.
type sieve struct{ want, mask head }

// passes is one expression, for the processor to run without a branch.
func (s *sieve) passes(h *head) bool {
	return (h.environment^s.want.environment)&s.mask.environment|
		(h.path^s.want.path)&s.mask.path|
		(h.path2^s.want.path2)&s.mask.path2 == 0
}

func sieveOf(r *region) sieve {
	environment, environmentMask := r.environment.beginning()
	path, pathMask := r.path.beginning()
	return sieve{want: headsOf(environment, path), mask: headsOf(environmentMask, pathMask)}
}

// beginning is what all texts begin with for which c holds; the mask has ones
// where that is known. A whole text is known to its end and beyond.
func (c *condition) beginning() (text, mask string) {
	switch {
	case c.eq != nil:
		return *c.eq, strings.Repeat("\xff", 16)
	case c.glob != nil:
		text = c.glob.Prefix()
	}
	return text, strings.Repeat("\xff", len(text))
}

// A group is the regions of one event pattern.
type group struct {
	event   pattern.Event
	sieves  []sieve // of the regions
	regions []region
}

// grouped sorts regions by their pattern, so that each pattern is looked at once.
func grouped(regions []region) (groups []group) {
	for _, r := range regions {
		i := slices.IndexFunc(groups, func(g group) bool { return g.event == r.event })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{event: r.event})
		}
		g := &groups[i]
		g.sieves = append(g.sieves, sieveOf(&r))
		g.regions = append(g.regions, r)
	}
	return groups
}

// have tells whether any of the groups has the event, whose head is h.
func have(groups []group, e *hark.Event, h *head) bool {
	for i := range groups {
		g := &groups[i]
		if !g.event.Match(&e.Kind) {
			continue
		}
		for j := range g.sieves {
			if g.sieves[j].passes(h) && g.regions[j].hasPlace(e) {
				return true
			}
		}
	}
	return false
}
