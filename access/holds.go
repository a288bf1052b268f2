package access

import (
	"context"
	"slices"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// manage gives the caller where it may manage access in a project; nil: in all projects.
func (a *Access) manage(ctx context.Context, project *hark.ID) (v *hark.Viewer, err error) {
	if project == nil {
		v, _, err = a.RequireGlobal(ctx, hark.ManageAccess)
	} else {
		v, _, err = a.Require(ctx, hark.ManageAccess, *project)
	}
	return v, err
}

// checkHolds refuses to hand out in a project (zero: in all) what v itself may
// not do there, so that MANAGE_ACCESS is no way to every other action.
func (a *Access) checkHolds(v *hark.Viewer, project hark.ID, rules []hark.Rule) error {
	scopes := []hark.ID{project}
	if project.IsZero() { // then also where v alone is denied something
		for _, g := range v.Grants {
			if !slices.Contains(scopes, g.ProjectID) {
				scopes = append(scopes, g.ProjectID)
			}
		}
	}
	given := compile("", rules)
	for _, scope := range scopes {
		own := a.Rules(v, scope)
		for _, action := range given.Actions() {
			if !own.hold(action, given.lines(action)) {
				return &hark.Error{
					Code:    hark.Forbidden,
					Message: "this gives more than you have: no role of yours allows as much of " + string(action),
					Details: map[string]any{"action": string(action)},
				}
			}
		}
	}
	return nil
}

// hold tells whether r surely allows all that given allows.
func (r *Rules) hold(action hark.Action, given *lines) bool {
	own := r.lines(action)
	switch action {
	case hark.ReadEvents, hark.SubscribeEvents, hark.PublishEvents:
	default: // conditions don't count
		return len(own.allow) > 0
	}
	for i := range given.allow {
		part := &given.allow[i]
		covered := slices.ContainsFunc(own.allow, func(a region) bool { return a.covers(part) })
		open := slices.ContainsFunc(own.deny, func(d region) bool {
			return d.overlaps(part) && !slices.ContainsFunc(given.deny, func(g region) bool { return g.coversBoth(&d, part) })
		})
		if !covered || open {
			return false
		}
	}
	return true
}

// checkHoldsAll is checkHolds for all that an identity holds, for whoever gets
// its credentials.
func (a *Access) checkHoldsAll(v *hark.Viewer, rows []*ent.RoleGrant) error {
	grants := grantsOf(rows)
	for _, g := range grants {
		if err := a.checkHolds(v, g.ProjectID, rulesIn(grants, g.ProjectID)); err != nil {
			return err
		}
	}
	return nil
}

// released are the denying rules of before that after no longer has, as what
// they would allow again: to take away a prohibition is to hand out.
func released(before, after []*hark.Rule) (rules []hark.Rule) {
	for _, b := range before {
		if b.Inverted && !slices.ContainsFunc(after, func(r *hark.Rule) bool { return equal(r, b) }) {
			r := *b
			r.Inverted = false
			rules = append(rules, r)
		}
	}
	return rules
}
