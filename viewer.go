package hark

import "context"

// A Viewer is the caller of a request, as its token says.
// Many goroutines share one Viewer: nobody changes it.
type Viewer struct {
	IdentityID ID
	Name       string
	TokenID    ID
	ExpiresAt  Time // zero: never
	Grants     []Grant
	Issued     *Issued // nil: the token is hark's own
}

// Issued is what an identity provider says in a token of its own.
type Issued struct {
	Roles []string // names, as its claim has them
}

// A Grant gives a viewer the rules of one role.
type Grant struct {
	RoleID    ID
	ProjectID ID // zero: in every project
	Rules     []Rule
}

type viewerKey struct{}

// WithViewer returns a context in which v is the caller.
func WithViewer(ctx context.Context, v *Viewer) context.Context {
	return context.WithValue(ctx, viewerKey{}, v)
}

// ViewerFrom returns the caller, or an UNAUTHENTICATED error where there is none.
func ViewerFrom(ctx context.Context) (*Viewer, error) {
	if v, ok := ctx.Value(viewerKey{}).(*Viewer); ok && v != nil {
		return v, nil
	}
	return nil, Errorf(Unauthenticated, "send an access token as Authorization: Bearer <token>")
}
