package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/predicate"
	"github.com/hark-events/hark/ent/rolegrant"
)

// GrantRole gives an identity a role in a project, or in all when project is
// nil; granting what it holds changes nothing. It needs MANAGE_ACCESS there and
// all that the role allows. NOT_FOUND for the identity, the role or the project;
// BAD_USER_INPUT for "projectId" when the role belongs to another project.
func (a *Access) GrantRole(ctx context.Context, owner, roleID hark.ID, project *hark.ID) (*ent.Identity, error) {
	return a.changeGrant(ctx, owner, roleID, project, func(v *hark.Viewer, tx *ent.Tx, role *ent.Role, held bool) error {
		if role.ProjectID != nil && (project == nil || *project != *role.ProjectID) {
			return hark.BadInput("projectId", "this role can be granted in its own project alone: give that project's id")
		}
		if held {
			return nil
		}
		if err := a.checkHolds(v, scopeOf(project), values(role.Rules)); err != nil {
			return err
		}
		err := tx.RoleGrant.Create().SetIdentityID(owner).SetRoleID(roleID).SetNillableProjectID(project).Exec(ctx)
		if err != nil {
			return fmt.Errorf("create grant: %w", err)
		}
		return Audit(ctx, tx, "grantRole", owner.String(), project, map[string]string{"roleId": roleID.String()})
	})
}

// RevokeRole takes from an identity the grant of a role in a project, or the
// one for all projects when project is nil. It needs MANAGE_ACCESS there.
// NOT_FOUND when there is no such grant.
func (a *Access) RevokeRole(ctx context.Context, owner, roleID hark.ID, project *hark.ID) (*ent.Identity, error) {
	return a.changeGrant(ctx, owner, roleID, project, func(v *hark.Viewer, tx *ent.Tx, role *ent.Role, held bool) error {
		if !held {
			return hark.Errorf(hark.NotFound, "the identity does not hold this role there")
		}
		if err := a.checkHolds(v, scopeOf(project), released(role.Rules, nil)); err != nil {
			return err
		}
		if _, err := tx.RoleGrant.Delete().Where(theGrant(owner, roleID, project)).Exec(ctx); err != nil {
			return fmt.Errorf("delete grant: %w", err)
		}
		return Audit(ctx, tx, "revokeRole", owner.String(), project, map[string]string{"roleId": roleID.String()})
	})
}

func (a *Access) changeGrant(ctx context.Context, owner, roleID hark.ID, project *hark.ID,
	f func(v *hark.Viewer, tx *ent.Tx, role *ent.Role, held bool) error,
) (row *ent.Identity, err error) {
	v, err := a.manage(ctx, project)
	if err != nil {
		return nil, err
	}
	err = a.change(ctx, func(tx *ent.Tx) error {
		if row, err = tx.Identity.Get(ctx, owner); ent.IsNotFound(err) {
			return noIdentity()
		} else if err != nil {
			return fmt.Errorf("read identity: %w", err)
		}
		role, err := tx.Role.Get(ctx, roleID)
		if ent.IsNotFound(err) || err == nil && role.ProjectID != nil && a.Rules(v, *role.ProjectID).Empty() {
			return noRole()
		}
		if err != nil {
			return fmt.Errorf("read role: %w", err)
		}
		held, err := tx.RoleGrant.Query().Where(theGrant(owner, roleID, project)).Exist(ctx)
		if err != nil {
			return fmt.Errorf("read grant: %w", err)
		}
		return f(v, tx, role, held)
	})
	if err != nil {
		return nil, err
	}
	return row.Unwrap(), nil
}

func theGrant(owner, roleID hark.ID, project *hark.ID) predicate.RoleGrant {
	in := rolegrant.ProjectIDIsNil()
	if project != nil {
		in = rolegrant.ProjectID(*project)
	}
	return rolegrant.And(rolegrant.IdentityID(owner), rolegrant.RoleID(roleID), in)
}

// Grants lists what an identity holds, with role and project, as far as the
// caller may see it: in projects where it has READ_ACCESS or MANAGE_ACCESS, and
// what holds in all projects; of itself, everything.
func (a *Access) Grants(ctx context.Context, owner hark.ID) ([]*ent.RoleGrant, error) {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.store.Ent().RoleGrant.Query().Where(rolegrant.IdentityID(owner)).
		WithRole(func(q *ent.RoleQuery) { q.WithProject() }).WithProject().Order(rolegrant.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	if owner == v.IdentityID {
		return rows, nil
	}
	seen := make([]*ent.RoleGrant, 0, len(rows))
	for _, g := range rows {
		rules := a.Rules(v, scopeOf(g.ProjectID))
		if g.ProjectID == nil && (a.somewhere(v, hark.ReadAccess) || a.somewhere(v, hark.ManageAccess)) ||
			rules.Can(hark.ReadAccess) || rules.Can(hark.ManageAccess) {
			seen = append(seen, g)
		}
	}
	return seen, nil
}

// hideRole says of a role in a project that the caller may not see what it
// would say of one that does not exist.
func hideRole(err error) error {
	if e, ok := errors.AsType[*hark.Error](err); ok && e.Code == hark.NotFound {
		return noRole()
	}
	return err
}
