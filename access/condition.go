package access

import (
	"fmt"
	"slices"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/pattern"
)

// A condition is a compiled hark.StringCondition. The zero condition always holds.
type condition struct {
	eq   *string
	ne   *string
	in   []string
	glob *pattern.Glob
}

// maxIn bounds the texts of one `in`.
const maxIn = 100

// compileCondition compiles c, whose globs compileGlob reads. Its error is a
// BAD_USER_INPUT whose field is "", "eq", "ne", "in.N" or "glob".
func compileCondition(c *hark.StringCondition, compileGlob func(string) (pattern.Glob, error)) (condition, error) {
	if c == nil {
		return condition{}, nil
	}
	if c.Eq == nil && c.Ne == nil && c.In == nil && c.Glob == nil {
		return condition{}, hark.BadInput("", "a condition sets at least one of eq, ne, in and glob")
	}
	out := condition{eq: c.Eq, ne: c.Ne, in: c.In}
	if c.In != nil && (len(c.In) == 0 || len(c.In) > maxIn) {
		return condition{}, hark.BadInput("in", "in lists 1 to %d texts", maxIn)
	}
	for i, s := range c.In {
		if len(s) > hark.MaxPath {
			return condition{}, hark.BadInput(fmt.Sprintf("in.%d", i), "a text of a condition has at most %d bytes", hark.MaxPath)
		}
	}
	for field, s := range map[string]*string{"eq": c.Eq, "ne": c.Ne} {
		if s != nil && len(*s) > hark.MaxPath {
			return condition{}, hark.BadInput(field, "a text of a condition has at most %d bytes", hark.MaxPath)
		}
	}
	if c.Glob != nil {
		g, err := compileGlob(*c.Glob)
		if err != nil {
			return condition{}, hark.BadInput("glob", "%v", err)
		}
		out.glob = &g
	}
	return out, nil
}

// holds tells whether the condition holds for s; the empty string stands for
// what the event does not have.
func (c *condition) holds(s string) bool {
	return (c.eq == nil || *c.eq == s) &&
		(c.ne == nil || *c.ne != s) &&
		(c.in == nil || slices.Contains(c.in, s)) &&
		(c.glob == nil || c.glob.Match(s))
}

// finite lists all texts for which c holds; ok is false where there is no end of them.
func (c *condition) finite() (all []string, ok bool) {
	switch {
	case c.eq != nil:
		all = []string{*c.eq}
	case c.in != nil:
		all = c.in
	case c.glob != nil:
		if all, ok = c.glob.Literals(); !ok {
			return nil, false
		}
	default:
		return nil, false
	}
	var kept []string
	for _, s := range all {
		if c.holds(s) {
			kept = append(kept, s)
		}
	}
	return kept, true
}

// both lists all texts for which both conditions hold; ok is false where there is no end of them.
func both(a, b *condition) (all []string, ok bool) {
	if all, ok = a.finite(); !ok {
		a, b = b, a
		if all, ok = a.finite(); !ok {
			return nil, false
		}
	}
	var kept []string
	for _, s := range all {
		if b.holds(s) {
			kept = append(kept, s)
		}
	}
	return kept, true
}

// overlaps tells whether there may be a text for which both hold.
func (c *condition) overlaps(other *condition) bool {
	if all, ok := both(c, other); ok {
		return len(all) > 0
	}
	return c.glob == nil || other.glob == nil || c.glob.Overlaps(*other.glob)
}

// covers tells whether c surely holds for each text for which other holds.
func (c *condition) covers(other *condition) bool {
	if all, ok := other.finite(); ok {
		return !slices.ContainsFunc(all, func(s string) bool { return !c.holds(s) })
	}
	return c.eq == nil && c.in == nil &&
		(c.ne == nil || !other.holds(*c.ne)) &&
		(c.glob == nil || other.glob != nil && c.glob.Covers(*other.glob))
}
