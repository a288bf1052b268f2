package delivery

import "context"

type traceparentKey struct{}

// WithTraceparent gives the attempts made under the context a W3C traceparent,
// which drivers pass on to the subscriber.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	return context.WithValue(ctx, traceparentKey{}, traceparent)
}

// Traceparent returns the context's traceparent, empty where there is none.
func Traceparent(ctx context.Context) string {
	s, _ := ctx.Value(traceparentKey{}).(string)
	return s
}
