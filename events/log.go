package events

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/page"
	"github.com/hark-events/hark/internal/pattern"
	"github.com/hark-events/hark/store"
)

// A Log reads retained events, for callers who may.
type Log struct {
	store     *store.Store
	authority Authority
}

// NewLog makes a Log.
func NewLog(st *store.Store, a Authority) *Log { return &Log{store: st, authority: a} }

// maxExamined is how many events one List looks at, and maxPage how many bytes
// of payload it gives: there a page ends short, and its end cursor goes on.
const (
	maxExamined = 10_000
	maxPage     = 4 << 20
)

// A Page is a part of a project's log.
type Page struct {
	Events []*hark.Event
	End    hark.Cursor // where the next page goes on; the zero cursor when nothing was examined
	More   bool
}

// List lists retained events of a project that pass the registrations and that
// the caller may read, oldest first. An empty project means the default one.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, CURSOR_EXPIRED.
func (l *Log) List(ctx context.Context, project hark.ID, register []hark.Registration, first *int, after *string) (*Page, error) {
	if project.IsZero() {
		project = store.DefaultProjectID()
	}
	allows, err := l.authority.Permitted(ctx, hark.ReadEvents, project)
	if err != nil {
		return nil, err
	}
	limit, _, err := page.Args(first, nil)
	if err != nil {
		return nil, err
	}
	filter, err := pattern.CompileFilter(register)
	if err != nil {
		return nil, err
	}
	at, err := l.start(ctx, project, after)
	if err != nil {
		return nil, err
	}
	out := &Page{}
	for examined, size := 0, 0; ; {
		events, err := l.store.Read(ctx, project, at, 500)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			return out, nil
		}
		for _, e := range events {
			if len(out.Events) == limit || examined == maxExamined || size >= maxPage {
				out.More = true
				return out, nil
			}
			examined++
			at, out.End = e.Sequence, e.Cursor()
			if filter.Match(e) && allows(e) {
				out.Events = append(out.Events, e)
				size += len(e.Payload)
			}
		}
	}
}

// start is the sequence behind which a list begins.
func (l *Log) start(ctx context.Context, project hark.ID, after *string) (int64, error) {
	if after == nil {
		return 0, nil
	}
	c, err := hark.ParseCursor(project, *after)
	if err != nil {
		return 0, err
	}
	oldest, last, err := l.store.Bounds(ctx, project)
	if err != nil {
		return 0, err
	}
	if c.Sequence < oldest-1 || c.Sequence > last {
		return 0, &hark.Error{
			Code: hark.CursorExpired, Field: "after", Message: "the cursor is outside of the retained log: start from its oldest event",
			Details: map[string]any{"oldestCursor": hark.Cursor{Project: project, Sequence: oldest - 1}.String()},
		}
	}
	return c.Sequence, nil
}

// Get finds a retained event that the caller may read, else NOT_FOUND.
func (l *Log) Get(ctx context.Context, id hark.ID) (*hark.Event, error) {
	if err := l.authority.RequireSome(ctx, hark.ReadEvents); err != nil {
		return nil, err
	}
	found, err := l.store.Events(ctx, []hark.ID{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 1 {
		if allows, err := l.authority.Permitted(ctx, hark.ReadEvents, found[0].ProjectID); err == nil && allows(found[0]) {
			return found[0], nil
		}
	}
	return nil, hark.Errorf(hark.NotFound, "no such event")
}
