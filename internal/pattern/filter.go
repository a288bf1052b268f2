package pattern

import (
	"errors"
	"fmt"

	"github.com/hark-events/hark"
)

// A Registration is a compiled hark.Registration.
type Registration struct {
	Event       Event
	Environment *string // nil: any, or none
	SecretPath  *Glob   // nil: any, or none
}

// CompileRegistration compiles r. Its error is a BAD_USER_INPUT whose field is
// "event" or "conditions.secretPath".
func CompileRegistration(r hark.Registration) (Registration, error) {
	event, err := CompileEvent(r.Event)
	if err != nil {
		return Registration{}, hark.BadInput("event", "%v", err)
	}
	c := Registration{Event: event}
	if r.Conditions == nil {
		return c, nil
	}
	c.Environment = r.Conditions.EnvironmentSlug
	if r.Conditions.SecretPath != nil {
		path, err := CompilePath(*r.Conditions.SecretPath)
		if err != nil {
			return Registration{}, hark.BadInput("conditions.secretPath", "%v", err)
		}
		c.SecretPath = &path
	}
	return c, nil
}

// Match tells whether the event is one that the registration asks for. An event
// without a path is none where a secretPath is asked for.
func (r *Registration) Match(e *hark.Event) bool {
	return r.Event.Match(&e.Kind) &&
		(r.Environment == nil || *r.Environment == e.Environment) &&
		(r.SecretPath == nil || r.SecretPath.Match(e.Path))
}

// A Filter passes the events that any of its registrations asks for; a Filter
// without registrations passes every event.
type Filter struct {
	registrations []Registration
}

// CompileFilter compiles the registrations. Its error is a BAD_USER_INPUT whose
// field is such as "register.2.conditions.secretPath".
func CompileFilter(register []hark.Registration) (*Filter, error) {
	f := &Filter{registrations: make([]Registration, 0, len(register))}
	for i, r := range register {
		c, err := CompileRegistration(r)
		if err != nil {
			if e, ok := errors.AsType[*hark.Error](err); ok {
				e.Field = fmt.Sprintf("register.%d.%s", i, e.Field)
			}
			return nil, err
		}
		f.registrations = append(f.registrations, c)
	}
	return f, nil
}

// Match tells whether the filter passes the event. It does not allocate.
func (f *Filter) Match(e *hark.Event) bool {
	if len(f.registrations) == 0 {
		return true
	}
	for i := range f.registrations {
		if f.registrations[i].Match(e) {
			return true
		}
	}
	return false
}

// Registrations are the compiled registrations, which nobody changes.
func (f *Filter) Registrations() []Registration { return f.registrations }
