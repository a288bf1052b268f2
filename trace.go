package hark

import "context"

type traceparentKey struct{}

// WithTraceparent returns a context whose work belongs to the trace of a W3C traceparent.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	return context.WithValue(ctx, traceparentKey{}, traceparent)
}

// TraceparentFrom returns the context's traceparent, empty where there is none.
func TraceparentFrom(ctx context.Context) string {
	s, _ := ctx.Value(traceparentKey{}).(string)
	return s
}
