package authority

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
)

// Access says who a token stands for, now and later.
type Access interface {
	// Authenticate gives the viewer of a token, else UNAUTHENTICATED with Details["reason"].
	Authenticate(ctx context.Context, token string) (*hark.Viewer, error)
	// Admit counts a request that v makes on a connection that it has already, from
	// the address of ctx; RATE_LIMITED.
	Admit(ctx context.Context, v *hark.Viewer) error
	// Reauthorize gives the viewer as it is now, else UNAUTHENTICATED.
	Reauthorize(ctx context.Context, v *hark.Viewer) (*hark.Viewer, error)
	// Watch calls changed once, in a goroutine of its own, when v may no longer be
	// what Reauthorize says; at once if it is so already. stop must be called.
	Watch(v *hark.Viewer, changed func()) (stop func())
}

// Bearer gives the token of an Authorization value, empty if there is none.
func Bearer(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Authenticate returns r with its caller in the context. Without an
// Authorization header there is no caller and no error; with a wrong one the
// error is UNAUTHENTICATED.
func Authenticate(r *http.Request, a Access) (*http.Request, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return r, nil
	}
	v, err := Viewer(r.Context(), a, header)
	if err != nil {
		return r, err
	}
	return r.WithContext(hark.WithViewer(r.Context(), v)), nil
}

// Viewer gives the caller of an Authorization value, else UNAUTHENTICATED.
func Viewer(ctx context.Context, a Access, authorization string) (*hark.Viewer, error) {
	token := Bearer(authorization)
	if token == "" {
		return nil, &hark.Error{
			Code: hark.Unauthenticated, Message: "send an access token as Authorization: Bearer <token>",
			Details: map[string]any{"reason": "invalid_token"},
		}
	}
	v, err := a.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	wire.Note(ctx, slog.String("identity", v.IdentityID.String()))
	return v, nil
}
