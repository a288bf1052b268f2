package limit

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
)

// Tokens says who a token stands for, as authority.Access does, and counts nothing.
type Tokens interface {
	Authenticate(ctx context.Context, token string) (*hark.Viewer, error)
	Reauthorize(ctx context.Context, v *hark.Viewer) (*hark.Viewer, error)
	Watch(v *hark.Viewer, changed func()) (stop func())
}

// Access counts the requests of each identity: those that come with a token,
// whose address is counted before, and those on a connection that it has.
type Access struct {
	Tokens
	Limiter *Limiter
}

var _ authority.Access = Access{}

// Authenticate implements authority.Access; RATE_LIMITED beside its errors.
func (a Access) Authenticate(ctx context.Context, token string) (*hark.Viewer, error) {
	v, err := a.Tokens.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := a.Limiter.Identity(ctx, v.IdentityID); err != nil {
		return nil, err
	}
	return v, nil
}

// Admit implements authority.Access.
func (a Access) Admit(ctx context.Context, v *hark.Viewer) error {
	return a.Limiter.Request(ctx, v.IdentityID)
}
