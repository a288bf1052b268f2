package access

import (
	"context"
	"fmt"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/accesstoken"
	"github.com/hark-events/hark/ent/clientsecret"
	"github.com/hark-events/hark/ent/identity"
	"github.com/hark-events/hark/ent/rolegrant"
	"github.com/hark-events/hark/internal/page"
)

func noIdentity() error { return hark.Errorf(hark.NotFound, "there is no such identity") }

// CreateIdentity makes an identity without roles and credentials. It needs
// MANAGE_ACCESS in all projects, like everything about identities but reading
// them and granting roles. BAD_USER_INPUT for "name".
func (a *Access) CreateIdentity(ctx context.Context, name string) (row *ent.Identity, err error) {
	if _, err := a.manage(ctx, nil); err != nil {
		return nil, err
	}
	if err := hark.CheckName("name", name, hark.MaxName); err != nil {
		return nil, err
	}
	err = a.store.Tx(ctx, func(tx *ent.Tx) error { // no change of access: nobody is it yet
		if row, err = tx.Identity.Create().SetName(name).Save(ctx); err != nil {
			return fmt.Errorf("create identity: %w", err)
		}
		return Audit(ctx, tx, "createIdentity", row.ID.String(), nil, map[string]string{"name": name})
	})
	if err != nil {
		return nil, err
	}
	return row.Unwrap(), nil
}

// DeleteIdentity deletes an identity with its credentials and grants; its
// streams end within a second. NOT_FOUND when there is none.
func (a *Access) DeleteIdentity(ctx context.Context, id hark.ID) error {
	if _, err := a.manage(ctx, nil); err != nil {
		return err
	}
	return a.change(ctx, func(tx *ent.Tx) error {
		row, err := tx.Identity.Get(ctx, id)
		if ent.IsNotFound(err) {
			return noIdentity()
		}
		if err != nil {
			return fmt.Errorf("read identity: %w", err)
		}
		if _, err := tx.RoleGrant.Delete().Where(rolegrant.IdentityID(id)).Exec(ctx); err != nil {
			return fmt.Errorf("delete grants: %w", err)
		}
		if _, err := tx.AccessToken.Delete().Where(accesstoken.IdentityID(id)).Exec(ctx); err != nil {
			return fmt.Errorf("delete access tokens: %w", err)
		}
		if _, err := tx.ClientSecret.Delete().Where(clientsecret.IdentityID(id)).Exec(ctx); err != nil {
			return fmt.Errorf("delete client secrets: %w", err)
		}
		if err := tx.Identity.DeleteOneID(id).Exec(ctx); err != nil {
			return fmt.Errorf("delete identity: %w", err)
		}
		return Audit(ctx, tx, "deleteIdentity", id.String(), nil, map[string]string{"name": row.Name})
	})
}

// Identity gives one identity. It needs READ_ACCESS in any project, unless it
// is the caller's own; NOT_FOUND when there is none.
func (a *Access) Identity(ctx context.Context, id hark.ID) (*ent.Identity, error) {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return nil, err
	}
	if id != v.IdentityID && !a.somewhere(v, hark.ReadAccess) {
		return nil, forbidden(hark.ReadAccess, "in any project")
	}
	row, err := a.store.Ent().Identity.Get(ctx, id)
	if ent.IsNotFound(err) {
		return nil, noIdentity()
	}
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	return row, nil
}

// Identities lists identities, newest first. It needs READ_ACCESS in any project.
func (a *Access) Identities(ctx context.Context, first *int, after *string) (page.List[*ent.Identity], error) {
	var list page.List[*ent.Identity]
	if _, _, err := a.RequireGlobal(ctx, hark.ReadAccess); err != nil {
		return list, err
	}
	limit, behind, err := page.Args(first, after)
	if err != nil {
		return list, err
	}
	q := a.store.Ent().Identity.Query()
	list.Count = q.Clone().Count
	if !behind.IsZero() {
		q.Where(identity.IDLT(behind))
	}
	rows, err := q.Order(identity.ByID(descending())).Limit(limit + 1).All(ctx)
	if err != nil {
		return list, fmt.Errorf("list identities: %w", err)
	}
	list.Items, list.More = page.Cut(rows, limit)
	return list, nil
}
