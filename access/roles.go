package access

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/role"
	"github.com/hark-events/hark/ent/rolegrant"
)

// A RoleInput is a whole role as it shall be.
type RoleInput struct {
	ProjectID *hark.ID // nil: it can be granted in any project
	Name      string   // 1 to 255 characters, unique in its project
	Rules     []*hark.Rule
}

func noRole() error { return hark.Errorf(hark.NotFound, "there is no such role") }

// checkRules tells whether rules can be stored: at most 200, with known actions
// and patterns that compile. Its error is a BAD_USER_INPUT for a field such as
// "input.rules.2.events.0".
func checkRules(field string, rules []*hark.Rule) error {
	if len(rules) > MaxRules {
		return hark.BadInput(field, "a role has at most %d rules", MaxRules)
	}
	for i, r := range rules {
		at := fmt.Sprintf("%s.%d", field, i)
		if len(r.Actions) == 0 {
			return hark.BadInput(at+".actions", "a rule names at least one action")
		}
		for j, action := range r.Actions {
			if !slices.Contains(hark.Actions(), action) {
				return hark.BadInput(fmt.Sprintf("%s.actions.%d", at, j), "there is no such action")
			}
		}
		if _, err := regions(r); err != nil {
			return within(at, err)
		}
	}
	return nil
}

func (in *RoleInput) check() error {
	if err := hark.CheckName("input.name", in.Name, hark.MaxName); err != nil {
		return err
	}
	return checkRules("input.rules", in.Rules)
}

func values(rules []*hark.Rule) []hark.Rule {
	out := make([]hark.Rule, len(rules))
	for i, r := range rules {
		out[i] = *r
	}
	return out
}

func equal(a, b *hark.Rule) bool { return reflect.DeepEqual(a, b) }

func scopeOf(project *hark.ID) (id hark.ID) {
	if project != nil {
		id = *project
	}
	return id
}

func roleError(what string, err error) error {
	if ent.IsConstraintError(err) {
		return &hark.Error{Code: hark.Conflict, Message: "there is a role of that name already: choose another one", Field: "input.name", Err: err}
	}
	return fmt.Errorf("%s role: %w", what, err)
}

// CreateRole makes a role. It needs MANAGE_ACCESS in the role's project (in all
// projects for a role of none) and every action that the role allows.
// BAD_USER_INPUT for fields under "input"; CONFLICT when the name is taken.
func (a *Access) CreateRole(ctx context.Context, in RoleInput) (row *ent.Role, err error) {
	v, err := a.manage(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := a.checkHolds(v, scopeOf(in.ProjectID), values(in.Rules)); err != nil {
		return nil, err
	}
	err = a.change(ctx, func(tx *ent.Tx) error {
		row, err = tx.Role.Create().SetName(in.Name).SetNillableProjectID(in.ProjectID).SetRules(stored(in.Rules)).Save(ctx)
		if err != nil {
			return roleError("create", err)
		}
		return Audit(ctx, tx, "createRole", row.ID.String(), in.ProjectID, in.detail())
	})
	if err != nil {
		return nil, err
	}
	return row.Unwrap(), nil
}

// stored keeps a role without rules from being null in the database.
func stored(rules []*hark.Rule) []*hark.Rule {
	if rules == nil {
		return []*hark.Rule{}
	}
	return rules
}

func (in *RoleInput) detail() any {
	return map[string]any{"name": in.Name, "rules": stored(in.Rules)}
}

// UpdateRole replaces a role's name and rules, on the terms of CreateRole; its
// project stays. NOT_FOUND when there is none that the caller may see, CONFLICT
// when it is built in.
func (a *Access) UpdateRole(ctx context.Context, id hark.ID, in RoleInput) (row *ent.Role, err error) {
	err = a.changeRole(ctx, id, func(v *hark.Viewer, tx *ent.Tx, old *ent.Role) error {
		if err := in.check(); err != nil {
			return err
		}
		if in.ProjectID != nil && scopeOf(old.ProjectID) != *in.ProjectID {
			return hark.BadInput("input.projectId", "a role stays in its project: make a new one for another project")
		}
		rules := append(values(in.Rules), released(old.Rules, in.Rules)...)
		if err := a.checkHolds(v, scopeOf(old.ProjectID), rules); err != nil {
			return err
		}
		row, err = tx.Role.UpdateOneID(id).SetName(in.Name).SetRules(stored(in.Rules)).Save(ctx)
		if err != nil {
			return roleError("update", err)
		}
		return Audit(ctx, tx, "updateRole", id.String(), old.ProjectID,
			Change{Before: (&RoleInput{Name: old.Name, Rules: old.Rules}).detail(), After: in.detail()})
	})
	if err != nil {
		return nil, err
	}
	return row.Unwrap(), nil
}

// DeleteRole deletes a role and takes it from all who hold it. Errors are those
// of UpdateRole.
func (a *Access) DeleteRole(ctx context.Context, id hark.ID) error {
	return a.changeRole(ctx, id, func(v *hark.Viewer, tx *ent.Tx, old *ent.Role) error {
		if err := a.checkHolds(v, scopeOf(old.ProjectID), released(old.Rules, nil)); err != nil {
			return err
		}
		if _, err := tx.RoleGrant.Delete().Where(rolegrant.RoleID(id)).Exec(ctx); err != nil {
			return fmt.Errorf("delete grants: %w", err)
		}
		if err := tx.Role.DeleteOneID(id).Exec(ctx); err != nil {
			return fmt.Errorf("delete role: %w", err)
		}
		return Audit(ctx, tx, "deleteRole", id.String(), old.ProjectID, (&RoleInput{Name: old.Name, Rules: old.Rules}).detail())
	})
}

// changeRole runs f on a role that the caller may manage. A role's project
// never changes, so it can be read, and the caller checked, before the transaction.
func (a *Access) changeRole(ctx context.Context, id hark.ID, f func(v *hark.Viewer, tx *ent.Tx, old *ent.Role) error) error {
	if _, err := hark.ViewerFrom(ctx); err != nil {
		return err
	}
	seen, err := a.store.Ent().Role.Get(ctx, id)
	if ent.IsNotFound(err) {
		return noRole()
	}
	if err != nil {
		return fmt.Errorf("read role: %w", err)
	}
	v, err := a.manage(ctx, seen.ProjectID)
	if err != nil {
		return hideRole(err)
	}
	if seen.BuiltIn {
		return hark.Errorf(hark.Conflict, "the role %s is built in and stays as it is: make a role of your own", seen.Name)
	}
	return a.change(ctx, func(tx *ent.Tx) error {
		old, err := tx.Role.Get(ctx, id)
		if ent.IsNotFound(err) {
			return noRole()
		}
		if err != nil {
			return fmt.Errorf("read role: %w", err)
		}
		return f(v, tx, old)
	})
}

// Roles lists the roles that can be granted in a project, or all that the
// caller may see, by name. It needs READ_ACCESS there, or anywhere.
func (a *Access) Roles(ctx context.Context, project *hark.ID) ([]*ent.Role, error) {
	q := a.store.Ent().Role.Query().Order(role.ByName(), role.ByID())
	if project != nil {
		if _, _, err := a.Require(ctx, hark.ReadAccess, *project); err != nil {
			return nil, err
		}
		q.Where(role.Or(role.ProjectIDIsNil(), role.ProjectID(*project)))
	} else {
		v, _, err := a.RequireGlobal(ctx, hark.ReadAccess)
		if err != nil {
			return nil, err
		}
		all, ids := a.Projects(v, hark.ReadAccess)
		if !all {
			q.Where(role.Or(role.ProjectIDIsNil(), role.ProjectIDIn(ids...)))
		} else if len(ids) > 0 {
			q.Where(role.Or(role.ProjectIDIsNil(), role.ProjectIDNotIn(ids...)))
		}
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	return rows, nil
}
