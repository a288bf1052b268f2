package stream

import (
	"context"

	"github.com/hark-events/hark"
)

// feedSource yields a stream's events one by one. *Reader is one.
type feedSource interface {
	TryNext() (*hark.Event, bool, error)
	OnWake(func())
	Class() any
	Cursor() hark.Cursor
	Close()
}

// A Feed ties the events that a resolver opens to who executes the operation:
// the resolver binds its reader, and each event is put in its channel to be
// pulled once. One goroutine at a time uses a Feed.
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

// Bound tells whether a resolver has bound its events. All but Close is for a
// feed that is bound.
func (f *Feed) Bound() bool { return f.source != nil }

// TryNext puts the next event in the channel, as Reader.TryNext gives it. One
// pull of the operation, or Drop, must take it before TryNext is called again.
func (f *Feed) TryNext() (*hark.Event, bool, error) {
	e, ok, err := f.source.TryNext()
	if ok {
		f.events <- e
	}
	return e, ok, err
}

// Drop takes the event out that TryNext has put in the channel.
func (f *Feed) Drop() { <-f.events }

// OnWake sets what is called when TryNext is worth calling again.
func (f *Feed) OnWake(wake func()) { f.source.OnWake(wake) }

// Class tells callers apart who may not see the same of the stream's events.
func (f *Feed) Class() any { return f.source.Class() }

// Cursor is where the bound stream is, to go on from with After.
func (f *Feed) Cursor() hark.Cursor { return f.source.Cursor() }

// Close closes what was bound.
func (f *Feed) Close() {
	if f.source != nil {
		f.source.Close()
	}
}
