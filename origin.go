package hark

import "context"

// An Origin is where a request came from.
type Origin struct {
	Address   string // IP address of the caller, without port
	UserAgent string // as the caller says; at most MaxName characters
}

type originKey struct{}

// WithOrigin returns a context whose request came from o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom returns where the context's request came from; zero outside of one.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
