package access

import (
	"context"
	"fmt"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventlog"
	"github.com/hark-events/hark/ent/eventsubscription"
	entproject "github.com/hark-events/hark/ent/project"
	"github.com/hark-events/hark/ent/role"
	"github.com/hark-events/hark/ent/rolegrant"
	"github.com/hark-events/hark/internal/page"
	"github.com/hark-events/hark/store"
)

// CreateProject makes a project with an empty log. It needs MANAGE_ACCESS in
// all projects. BAD_USER_INPUT for "input.slug" and "input.name"; CONFLICT when
// the slug is taken.
func (a *Access) CreateProject(ctx context.Context, slug, name string) (row *ent.Project, err error) {
	if _, err := a.manage(ctx, nil); err != nil {
		return nil, err
	}
	if err := checkSlug("input.slug", slug); err != nil {
		return nil, err
	}
	if err := hark.CheckName("input.name", name, hark.MaxName); err != nil {
		return nil, err
	}
	err = a.change(ctx, func(tx *ent.Tx) error { // a change: nodes may keep that there is no such project
		row, err = tx.Project.Create().SetSlug(slug).SetName(name).Save(ctx)
		if ent.IsConstraintError(err) {
			return &hark.Error{Code: hark.Conflict, Message: "there is a project of that slug already: choose another one", Field: "input.slug", Err: err}
		}
		if err != nil {
			return fmt.Errorf("create project: %w", err)
		}
		if err := tx.EventLog.Create().SetID(row.ID).Exec(ctx); err != nil {
			return fmt.Errorf("create log: %w", err)
		}
		return Audit(ctx, tx, "createProject", row.ID.String(), &row.ID, map[string]string{"slug": slug, "name": name})
	})
	if err != nil {
		return nil, err
	}
	return row.Unwrap(), nil
}

// DeleteProject deletes a project with its log, subscriptions, roles and
// grants; its streams end. It needs MANAGE_ACCESS in all projects. NOT_FOUND
// when there is none that the caller may see, CONFLICT for "default".
//
// Events, deliveries and attempts, which may be many, are out of reach from
// then on, and cleared away by Run in small transactions.
func (a *Access) DeleteProject(ctx context.Context, id hark.ID) error {
	if _, err := a.manage(ctx, &id); err != nil {
		return err
	}
	if _, err := a.manage(ctx, nil); err != nil {
		return err
	}
	if id == store.DefaultProjectID() {
		return hark.Errorf(hark.Conflict, "the project default stays: delete its subscriptions instead")
	}
	err := a.change(ctx, func(tx *ent.Tx) error {
		// Its counter row: publishes that have begun are waited for, later ones find no log.
		if err := store.RaiseVersion(ctx, tx, id); err != nil {
			return err
		}
		row, err := tx.Project.Get(ctx, id)
		if err != nil {
			return fmt.Errorf("read project: %w", err)
		}
		for _, remove := range []func(context.Context) (int, error){
			tx.EventSubscription.Delete().Where(eventsubscription.ProjectID(id)).Exec,
			tx.RoleGrant.Delete().Where(rolegrant.Or(rolegrant.ProjectID(id), rolegrant.HasRoleWith(role.ProjectID(id)))).Exec,
			tx.Role.Delete().Where(role.ProjectID(id)).Exec,
			tx.EventLog.Delete().Where(eventlog.ID(id)).Exec,
			tx.Project.Delete().Where(entproject.ID(id)).Exec,
		} {
			if _, err := remove(ctx); err != nil {
				return fmt.Errorf("delete project: %w", err)
			}
		}
		return Audit(ctx, tx, "deleteProject", id.String(), &id, map[string]string{"slug": row.Slug})
	})
	if err != nil {
		return err
	}
	select {
	case a.orphans <- struct{}{}:
	default: // Run knows already
	}
	return nil
}

// Project gives one project by id or by slug, exactly one of which is set, else
// BAD_USER_INPUT. NOT_FOUND when there is none of which the caller may see anything.
func (a *Access) Project(ctx context.Context, id *hark.ID, slug *string) (*ent.Project, error) {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return nil, err
	}
	q := a.store.Ent().Project.Query()
	switch {
	case (id == nil) == (slug == nil):
		return nil, hark.BadInput("id", "give either the id or the slug of the project")
	case id != nil:
		q.Where(entproject.ID(*id))
	default:
		q.Where(entproject.Slug(*slug))
	}
	row, err := q.Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return nil, fmt.Errorf("read project: %w", err)
	}
	if err != nil || a.Rules(v, row.ID).Empty() {
		return nil, noProject()
	}
	return row, nil
}

// ListProjects lists the projects of which the caller may see anything, newest first.
func (a *Access) ListProjects(ctx context.Context, first *int, after *string) (page.List[*ent.Project], error) {
	var list page.List[*ent.Project]
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return list, err
	}
	limit, behind, err := page.Args(first, after)
	if err != nil {
		return list, err
	}
	q := a.store.Ent().Project.Query()
	if all, ids := a.Projects(v, ""); !all {
		q.Where(entproject.IDIn(ids...))
	} else if len(ids) > 0 {
		q.Where(entproject.IDNotIn(ids...))
	}
	list.Count = q.Clone().Count
	if !behind.IsZero() {
		q.Where(entproject.IDLT(behind))
	}
	rows, err := q.Order(entproject.ByID(descending())).Limit(limit + 1).All(ctx)
	if err != nil {
		return list, fmt.Errorf("list projects: %w", err)
	}
	list.Items, list.More = page.Cut(rows, limit)
	return list, nil
}
