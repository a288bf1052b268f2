package resolvers

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/graph"
)

func (r mutationResolver) CreateProject(ctx context.Context, input graph.ProjectInput) (*ent.Project, error) {
	return r.Access.CreateProject(ctx, input.Slug, input.Name)
}

func (r mutationResolver) DeleteProject(ctx context.Context, id hark.ID) (hark.ID, error) {
	return id, r.Access.DeleteProject(ctx, id)
}

func (r mutationResolver) CreateIdentity(ctx context.Context, name string) (*ent.Identity, error) {
	return r.Access.CreateIdentity(ctx, name)
}

func (r mutationResolver) DeleteIdentity(ctx context.Context, id hark.ID) (hark.ID, error) {
	return id, r.Access.DeleteIdentity(ctx, id)
}

func (r mutationResolver) CreateClientSecret(ctx context.Context, identityID hark.ID, ttlSeconds, maxUses *int, trustedCidrs []string) (*graph.ClientSecretPayload, error) {
	c, err := r.Access.CreateClientSecret(ctx, identityID, access.ClientSecretInput{TTLSeconds: ttlSeconds, MaxUses: maxUses, TrustedCIDRs: trustedCidrs})
	if err != nil {
		return nil, err
	}
	return &graph.ClientSecretPayload{ClientID: c.ID.String(), ClientSecret: c.Secret.Reveal(), ExpiresAt: timeOrNil(c.ExpiresAt)}, nil
}

func (r mutationResolver) RevokeClientSecrets(ctx context.Context, identityID hark.ID) (int, error) {
	return r.Access.RevokeClientSecrets(ctx, identityID)
}

func (r mutationResolver) CreateAccessToken(ctx context.Context, identityID hark.ID, ttlSeconds *int) (*graph.AccessTokenPayload, error) {
	c, err := r.Access.CreateAccessToken(ctx, identityID, ttlSeconds)
	if err != nil {
		return nil, err
	}
	return &graph.AccessTokenPayload{TokenID: c.ID, AccessToken: c.Secret.Reveal(), ExpiresAt: timeOrNil(c.ExpiresAt)}, nil
}

func (r mutationResolver) RevokeAccessToken(ctx context.Context, tokenID hark.ID) (hark.ID, error) {
	return tokenID, r.Access.RevokeAccessToken(ctx, tokenID)
}

func (r mutationResolver) CreateRole(ctx context.Context, input access.RoleInput) (*ent.Role, error) {
	return r.Access.CreateRole(ctx, input)
}

func (r mutationResolver) UpdateRole(ctx context.Context, id hark.ID, input access.RoleInput) (*ent.Role, error) {
	return r.Access.UpdateRole(ctx, id, input)
}

func (r mutationResolver) DeleteRole(ctx context.Context, id hark.ID) (hark.ID, error) {
	return id, r.Access.DeleteRole(ctx, id)
}

func (r mutationResolver) GrantRole(ctx context.Context, identityID, roleID hark.ID, projectID *hark.ID) (*ent.Identity, error) {
	return r.Access.GrantRole(ctx, identityID, roleID, projectID)
}

func (r mutationResolver) RevokeRole(ctx context.Context, identityID, roleID hark.ID, projectID *hark.ID) (*ent.Identity, error) {
	return r.Access.RevokeRole(ctx, identityID, roleID, projectID)
}

func (r queryResolver) Viewer(ctx context.Context) (*hark.Viewer, error) { return hark.ViewerFrom(ctx) }

func (r queryResolver) Project(ctx context.Context, id *hark.ID, slug *string) (*ent.Project, error) {
	return r.Access.Project(ctx, id, slug)
}

func (r queryResolver) Projects(ctx context.Context, first *int, after *string) (*graph.ProjectConnection, error) {
	list, err := r.Access.ListProjects(ctx, first, after)
	return projectConnection(ctx, list, after, err)
}

func (r queryResolver) Identity(ctx context.Context, id hark.ID) (*ent.Identity, error) {
	return r.Access.Identity(ctx, id)
}

func (r queryResolver) Identities(ctx context.Context, first *int, after *string) (*graph.IdentityConnection, error) {
	list, err := r.Access.Identities(ctx, first, after)
	return identityConnection(ctx, list, after, err)
}

func (r queryResolver) Roles(ctx context.Context, projectID *hark.ID) ([]*ent.Role, error) {
	return r.Access.Roles(ctx, projectID)
}

func (r queryResolver) AuditLog(ctx context.Context, projectID *hark.ID, first *int, after *string) (*graph.AuditEntryConnection, error) {
	list, err := r.Access.AuditLog(ctx, projectID, first, after)
	return auditConnection(list, after, err)
}

func (r auditEntryResolver) Actor(ctx context.Context, e *ent.AuditEntry) (*ent.Identity, error) {
	if e.ActorID == nil {
		return nil, nil
	}
	return r.Access.Actor(ctx, *e.ActorID)
}

func (r auditEntryResolver) Address(_ context.Context, e *ent.AuditEntry) (*string, error) {
	return orNil(e.Address), nil
}

func (r auditEntryResolver) UserAgent(_ context.Context, e *ent.AuditEntry) (*string, error) {
	return orNil(e.UserAgent), nil
}

func (r identityResolver) Roles(ctx context.Context, i *ent.Identity) ([]*ent.RoleGrant, error) {
	return r.Access.Grants(ctx, i.ID)
}

func (r roleResolver) Project(ctx context.Context, role *ent.Role) (*ent.Project, error) {
	if role.ProjectID == nil {
		return nil, nil
	}
	return role.QueryProject().Only(ctx)
}

func (r roleGrantResolver) Role(_ context.Context, g *ent.RoleGrant) (*ent.Role, error) {
	return g.Edges.RoleOrErr()
}

func (r roleGrantResolver) Project(_ context.Context, g *ent.RoleGrant) (*ent.Project, error) {
	return g.Edges.Project, nil
}

func (r viewerResolver) Identity(ctx context.Context, v *hark.Viewer) (*ent.Identity, error) {
	return r.Access.Actor(ctx, v.IdentityID)
}

func (r viewerResolver) Permissions(ctx context.Context, v *hark.Viewer, projectID *hark.ID) ([]hark.Action, error) {
	return r.Access.Permissions(ctx, v, projectID)
}

func timeOrNil(t hark.Time) *hark.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
