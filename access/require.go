package access

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/predicate"
	entproject "github.com/hark-events/hark/ent/project"
)

func noProject() error {
	return hark.Errorf(hark.NotFound, "there is no such project, or you may not see it")
}

// Require gives the caller and its rules in a project where it may do the
// action. UNAUTHENTICATED without a caller; NOT_FOUND when there is no such
// project or the caller may see nothing of it; FORBIDDEN when it lacks the action.
func (a *Access) Require(ctx context.Context, action hark.Action, project hark.ID) (*hark.Viewer, *Rules, error) {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return nil, nil, err
	}
	rules := a.Rules(v, project)
	if project.IsZero() || rules.Empty() {
		return nil, nil, noProject()
	}
	if _, err := a.lookUp(ctx, project.String(), entproject.ID(project)); err != nil {
		return nil, nil, err
	}
	if !rules.Can(action) {
		return nil, nil, forbidden(action, "in this project")
	}
	return v, rules, nil
}

// RequireGlobal gives the caller and its rules in all projects, for what
// belongs to no project. To manage takes a grant for all projects; to read,
// a grant in any project is enough.
func (a *Access) RequireGlobal(ctx context.Context, action hark.Action) (*hark.Viewer, *Rules, error) {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return nil, nil, err
	}
	rules := a.Rules(v, hark.ID{})
	if rules.Can(action) || reads(action) && a.somewhere(v, action) {
		return v, rules, nil
	}
	return nil, nil, forbidden(action, "in all projects")
}

func reads(action hark.Action) bool {
	switch action {
	case hark.ReadEvents, hark.ReadEventDefinitions, hark.ReadSubscriptions, hark.ReadAccess, hark.ReadAuditLog:
		return true
	}
	return false
}

func forbidden(action hark.Action, where string) error {
	return &hark.Error{
		Code: hark.Forbidden, Message: fmt.Sprintf("no role of yours allows %s %s", action, where),
		Details: map[string]any{"action": string(action)},
	}
}

// somewhere tells whether v may do the action in at least one project.
func (a *Access) somewhere(v *hark.Viewer, action hark.Action) bool {
	if a.Rules(v, hark.ID{}).Can(action) {
		return true
	}
	return slices.ContainsFunc(v.Grants, func(g hark.Grant) bool { return a.Rules(v, g.ProjectID).Can(action) })
}

// Projects tells where a viewer may do the action: in all projects but those in
// which a rule denies it, or else in the listed ones. When all is true, ids are
// the exceptions.
//
// The empty action asks where the viewer may see anything at all.
func (a *Access) Projects(v *hark.Viewer, action hark.Action) (all bool, ids []hark.ID) {
	may := func(r *Rules) bool {
		if action == "" {
			return !r.Empty()
		}
		return r.Can(action)
	}
	all = may(a.Rules(v, hark.ID{}))
	for _, g := range v.Grants {
		p := g.ProjectID
		if !p.IsZero() && !slices.Contains(ids, p) && may(a.Rules(v, p)) != all {
			ids = append(ids, p)
		}
	}
	return all, ids
}

// ProjectID resolves what a caller names a project by: its id, its slug, or
// nothing for the project "default". NOT_FOUND when there is none; whether the
// caller may see it is for Require.
func (a *Access) ProjectID(ctx context.Context, ref string) (hark.ID, error) {
	if ref == "" {
		ref = "default"
	}
	which := entproject.Slug(ref)
	if id, err := hark.ParseID(ref); err == nil {
		ref, which = id.String(), entproject.ID(id)
	} else if len(ref) > maxSlug {
		return hark.ID{}, noProject()
	}
	return a.lookUp(ctx, ref, which)
}

// lookUp reads a project's id, through the cache.
func (a *Access) lookUp(ctx context.Context, key string, which predicate.Project) (hark.ID, error) {
	p, ok := a.cache.projects.Get(key)
	if !ok || !a.cache.usable(p.generation, p.read) {
		p = project{generation: a.cache.generation.Load(), read: time.Now()}
		id, err := a.store.Ent().Project.Query().Where(which).OnlyID(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return hark.ID{}, fmt.Errorf("read project: %w", err)
		}
		p.id = id
		a.cache.projects.Add(key, p)
	}
	if p.id.IsZero() {
		return hark.ID{}, noProject()
	}
	return p.id, nil
}
