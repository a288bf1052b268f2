package stream

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/pattern"
)

// An Authority says which events the caller may hear.
type Authority interface {
	// Subscribable says which events of a project the caller may hear. Its
	// errors are UNAUTHENTICATED; NOT_FOUND for a project that the caller may
	// not see; FORBIDDEN for a registration of which the caller may hear nothing.
	//
	// class is comparable: callers of the same class may see the same of the project.
	Subscribable(ctx context.Context, project hark.ID, register []hark.Registration) (allows func(*hark.Event) bool, class any, err error)
}

// A Listener opens streams for callers, with what they may hear.
type Listener struct {
	hub       *Hub
	authority Authority
	fallback  hark.ID
}

// NewListener makes a Listener. Where a caller names no project, it means fallback.
func NewListener(h *Hub, a Authority, fallback hark.ID) *Listener {
	return &Listener{hub: h, authority: a, fallback: fallback}
}

// Open opens the events of a project that pass any of the registrations (all
// events, if there are none) and that the caller may hear now, from behind the
// cursor after, or live. A later change of the caller's rights does not change
// the stream: who keeps it open must open it anew.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, CURSOR_EXPIRED.
func (l *Listener) Open(ctx context.Context, project hark.ID, register []hark.Registration, after *string) (*Reader, error) {
	if project.IsZero() {
		project = l.fallback
	}
	filter, err := pattern.CompileFilter(register)
	if err != nil {
		return nil, err
	}
	allows, class, err := l.authority.Subscribable(ctx, project, register)
	if err != nil {
		return nil, err
	}
	o := Options{Match: func(e *hark.Event) bool { return filter.Match(e) && allows(e) }, Class: class}
	if after != nil {
		c, err := hark.ParseCursor(project, *after)
		if err != nil {
			return nil, err
		}
		o.After = &c
	}
	return l.hub.Open(ctx, project, o)
}
