package stream

import (
	"context"

	"github.com/hark-events/hark"
)

// feedSource yields a stream's events one by one. *Reader is one.
type feedSource interface {
	// Next waits for the next event. When ctx ends first it takes none and
	// returns the context's error.
	Next(ctx context.Context) (*hark.Event, error)
	// Cursor is where the stream is: behind all that Next has looked at, or
	// where it began.
	Cursor() hark.Cursor
	// Close ends the stream; Next is not called again.
	Close()
}

// A Feed ties the events that a resolver opens to the transport that pulls
// them: the transport waits for an event by itself, then has it executed once.
// One goroutine uses a Feed.
type Feed struct {
	// After is where the transport wants to go on (Last-Event-ID); empty: the
	// resolver's own argument holds.
	After string

	source feedSource
	events chan *hark.Event
}

type feedKey struct{}

// WithFeed returns a context whose resolver may bind its events to the feed.
// Close the feed when the operation is over.
func WithFeed(ctx context.Context, after string) (context.Context, *Feed) {
	f := &Feed{After: after}
	return context.WithValue(ctx, feedKey{}, f), f
}

// FeedFrom returns the feed of the operation, if its transport gave one.
func FeedFrom(ctx context.Context) (*Feed, bool) {
	f, ok := ctx.Value(feedKey{}).(*Feed)
	return f, ok
}

// Bind takes over the source, to be closed with the feed, and gives the channel that the resolver returns.
func (f *Feed) Bind(s feedSource) <-chan *hark.Event {
	f.source, f.events = s, make(chan *hark.Event, 1)
	return f.events
}

// Bound tells whether a resolver has bound its events.
func (f *Feed) Bound() bool { return f.source != nil }

// Next waits for the next event and puts it in the channel, from where one
// pull of the operation must take it before Next is called again.
func (f *Feed) Next(ctx context.Context) (*hark.Event, error) {
	e, err := f.source.Next(ctx)
	if err != nil {
		return nil, err
	}
	f.events <- e
	return e, nil
}

// Cursor is where the bound stream is, to go on from with After.
func (f *Feed) Cursor() hark.Cursor { return f.source.Cursor() }

// Close closes what was bound.
func (f *Feed) Close() {
	if f.source != nil {
		f.source.Close()
	}
}
