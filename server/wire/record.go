package wire

import (
	"context"
	"log/slog"
	"sync"

	"github.com/hark-events/hark"
)

// A Record is what the one log line of a request will say.
type Record struct {
	ID string // the request id
	// Refused is told of each refusal: FORBIDDEN and UNAUTHENTICATED. Nil: nobody is.
	Refused func(ctx context.Context, e *hark.Error)

	mu    sync.Mutex
	attrs []slog.Attr
}

type recordKey struct{}

// WithRecord returns a context whose request is recorded in r.
func WithRecord(ctx context.Context, r *Record) context.Context {
	return context.WithValue(ctx, recordKey{}, r)
}

// Outlive returns a context for what goes on when ctx's request is answered: it
// ends with nothing, and knows the request's id, its origin, and who is told of refusals.
func Outlive(ctx context.Context) context.Context {
	rest := &Record{}
	if r, ok := ctx.Value(recordKey{}).(*Record); ok {
		rest.ID, rest.Refused = r.ID, r.Refused
	}
	return hark.WithOrigin(WithRecord(context.Background(), rest), hark.OriginFrom(ctx))
}

// Within returns a context for one of the many things that a connection asks
// for: what is noted of it is for a line of its own.
func Within(ctx context.Context) context.Context {
	one := &Record{}
	if r, ok := ctx.Value(recordKey{}).(*Record); ok {
		one.ID, one.Refused = r.ID, r.Refused
	}
	return WithRecord(ctx, one)
}

// Attrs gives all that was noted.
func (r *Record) Attrs() []slog.Attr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attrs
}

// Note adds to the log line of ctx's request; a later note of the same key stands beside the earlier.
// Never note a token, a query's variables or a payload.
func Note(ctx context.Context, attrs ...slog.Attr) {
	if r, ok := ctx.Value(recordKey{}).(*Record); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.attrs) < 32 { // a connection may carry any number of operations
			r.attrs = append(r.attrs, attrs...)
		}
	}
}

// NoteRefusal tells of an error that the caller of ctx gets, if it is a refusal.
func NoteRefusal(ctx context.Context, e *hark.Error) {
	r, ok := ctx.Value(recordKey{}).(*Record)
	if ok && r.Refused != nil && (e.Code == hark.Forbidden || e.Code == hark.Unauthenticated) {
		r.Refused(ctx, e)
	}
}

// RequestID is the id of ctx's request; empty outside of one.
func RequestID(ctx context.Context) string {
	if r, ok := ctx.Value(recordKey{}).(*Record); ok {
		return r.ID
	}
	return ""
}
