package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/cloudevents"
	"github.com/hark-events/hark/server/limit"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/projectevents"
	"github.com/hark-events/hark/server/websocket"
	"github.com/hark-events/hark/stream"
)

// A Config says what a Server serves. All fields are required but those with a default.
type Config struct {
	// Schema is graph.NewExecutableSchema with operation.Complexity; nil serves
	// only what an operator asks: /healthz, /readyz and /metrics.
	Schema        graphql.ExecutableSchema
	Access        authority.Access
	Guard         operation.Guard
	Tokens        Tokens
	ProjectEvents projectevents.Opener
	Publisher     cloudevents.Publisher // of events that come as CloudEvents
	Projects      cloudevents.Projects

	Playground http.Handler // at /playground and below
	WSDL       http.Handler // at /soap/hark.wsdl
	JWKS       http.Handler // at /.well-known/hark/jwks.json
	Metrics    http.Handler // at /metrics
	Checks     []Check      // of /readyz; default none

	// Refused is told of FORBIDDEN and UNAUTHENTICATED; default nobody.
	Refused func(ctx context.Context, e *hark.Error)
	// TrustedProxies are believed about where a request came from (X-Forwarded-For); default none.
	TrustedProxies []netip.Prefix

	// Trace begins the trace of a request on a route, and gives its id, and what
	// ends it with the answer's status; default nobody does.
	Trace func(r *http.Request, route string) (_ *http.Request, id string, end func(status int))

	// Introspection lets everyone ask for the schema; without it only callers with READ_ACCESS.
	Introspection bool
	// Origins are those of browser clients, such as https://app.example.com; "*"
	// is any. The server's own origin always is. Default none.
	Origins []string

	Limiter *limit.Limiter // of addresses and logins; default that of logins alone

	Groups *stream.Groups  // of the streams; default new ones
	Limits audience.Limits // of the streams
	Notes  websocket.Notes // for a client that comes back to another node; default none

	TLS *tls.Config // nil: plain HTTP
	H2C bool        // HTTP/2 without TLS; with it HTTP/2 is always spoken

	DrainTimeout time.Duration // for requests under way when Serve ends; default 30s
	Log          *slog.Logger
}

// A Check is one thing that hark needs to be ready.
type Check struct {
	Name string // "database", "redis", "migrations"
	Run  func(ctx context.Context) error
}

// A Token is an access token as login and renew answer with it.
type Token struct {
	AccessToken hark.Secret
	ExpiresIn   int64 // seconds until it ends
	MaxTTL      int64 // the longest life of any such token, in seconds
}

// Tokens makes and ends access tokens. Every error is UNAUTHENTICATED,
// RATE_LIMITED or internal.
type Tokens interface {
	Login(ctx context.Context, clientID, clientSecret string) (Token, error)
	Renew(ctx context.Context, token string) (Token, error)
	Revoke(ctx context.Context, token string) error
}
