package access

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/pattern"
)

// A region is a set of events: those of some kind, environment and path.
type region struct {
	event       pattern.Event
	environment condition
	path        condition
}

// everything is the region of all events.
func everything() region {
	return region{}
}

// hasPlace tells whether r has events of the environment and the path of e.
func (r *region) hasPlace(e *hark.Event) bool {
	return r.environment.holds(e.Environment) && r.path.holds(e.Path)
}

func (r *region) overlaps(other *region) bool {
	return r.event.Overlaps(other.event) && r.environment.overlaps(&other.environment) && r.path.overlaps(&other.path)
}

// covers tells whether r surely has all that other has.
func (r *region) covers(other *region) bool {
	return r.event.Covers(other.event) && r.environment.covers(&other.environment) && r.path.covers(&other.path)
}

// leaves tells whether denials may leave anything of what a and b have in
// common. Where that has finitely many environments or paths, each is asked by
// itself: several denials may take them away together.
func leaves(a, b *region, denials []region) bool {
	environments, listed := both(&a.environment, &b.environment)
	if !listed {
		return leavesPaths(a, b, denials)
	}
	for _, s := range environments {
		one := *b
		one.environment = condition{eq: &s}
		if leavesPaths(a, &one, denials) {
			return true
		}
	}
	return false
}

func leavesPaths(a, b *region, denials []region) bool {
	covered := func(b *region) bool {
		return slices.ContainsFunc(denials, func(d region) bool { return d.coversBoth(a, b) })
	}
	paths, listed := both(&a.path, &b.path)
	if !listed {
		return !covered(b)
	}
	for _, s := range paths {
		one := *b
		one.path = condition{eq: &s}
		if !covered(&one) {
			return true
		}
	}
	return false
}

// coversBoth tells whether r surely has all that a and b have in common.
func (r *region) coversBoth(a, b *region) bool {
	dimension := func(c, a, b *condition) bool {
		if all, ok := both(a, b); ok {
			return !slices.ContainsFunc(all, func(s string) bool { return !c.holds(s) })
		}
		return c.covers(a) || c.covers(b)
	}
	return (r.event.Covers(a.event) || r.event.Covers(b.event)) &&
		dimension(&r.environment, &a.environment, &b.environment) &&
		dimension(&r.path, &a.path, &b.path)
}

// asked is the region of a registration.
func asked(r hark.Registration) (region, error) {
	c, err := pattern.CompileRegistration(r)
	if err != nil {
		return region{}, err
	}
	return region{
		event:       c.Event,
		environment: condition{eq: c.Environment},
		path:        condition{glob: c.SecretPath},
	}, nil
}

// Limits of a role.
const (
	MaxRules      = 200
	maxRuleEvents = 50
)

// regions compiles the events of a rule: one region for each of its patterns.
// Its error is a BAD_USER_INPUT whose field begins at the rule, such as "events.0".
func regions(r *hark.Rule) ([]region, error) {
	all := everything()
	var err error
	if all.environment, err = compileCondition(r.Environment, pattern.CompileGlob); err != nil {
		return nil, within("environment", err)
	}
	if all.path, err = compileCondition(r.SecretPath, pattern.CompilePath); err != nil {
		return nil, within("secretPath", err)
	}
	if len(r.Events) == 0 {
		return []region{all}, nil
	}
	if len(r.Events) > maxRuleEvents {
		return nil, hark.BadInput("events", "a rule has at most %d event patterns", maxRuleEvents)
	}
	out := make([]region, 0, len(r.Events))
	for i, text := range r.Events {
		one := all
		if one.event, err = pattern.CompileEvent(text); err != nil {
			return nil, hark.BadInput(fmt.Sprintf("events.%d", i), "%v", err)
		}
		out = append(out, one)
	}
	return out, nil
}

// within puts a path in front of the field of an input error.
func within(path string, err error) error {
	e, ok := errors.AsType[*hark.Error](err)
	if !ok {
		return err
	}
	moved := *e
	if moved.Field = path; e.Field != "" {
		moved.Field += "." + e.Field
	}
	return &moved
}
