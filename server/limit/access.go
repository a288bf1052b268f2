package limit

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
)

// Access counts each authenticated request for its identity.
type Access struct {
	authority.Access
	Limiter *Limiter
}

// Authenticate implements authority.Access; RATE_LIMITED beside its errors.
func (a Access) Authenticate(ctx context.Context, token string) (*hark.Viewer, error) {
	v, err := a.Access.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := a.Limiter.Identity(ctx, v.IdentityID); err != nil {
		return nil, err
	}
	return v, nil
}
