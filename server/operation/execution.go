package operation

import (
	"context"
	"errors"
	"io"

	"github.com/99designs/gqlgen/graphql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/following"
	"github.com/hark-events/hark/stream"
)

// An execution runs a subscription whose events a resolver has bound to its
// feed. One goroutine at a time uses it.
type execution struct {
	*Operation
	*stream.Feed
	viewer *hark.Viewer
	shape  *shape // nil: nothing has been asked of it yet
	next   func() *graphql.Response
	cancel context.CancelFunc
}

// A puller runs a subscription without a feed: gqlgen both waits and executes.
type puller struct {
	next   func(ctx context.Context) *graphql.Response
	cancel context.CancelFunc
}

// A source opens a subscription any number of times. Between, only the request is kept.
type source struct {
	executor *Executor
	request  Request
	prepared *Operation // for the first time
}

var (
	_ following.Source = (*source)(nil)
	_ stream.Execution = (*execution)(nil)
	_ following.Puller = (*puller)(nil)
)

// Source opens the subscription for a following, one at a time.
func (o *Operation) Source() following.Source { return &source{o.executor, o.request, o} }

// Open implements following.Source.
func (s *source) Open(ctx context.Context, after string) (stream.Execution, following.Puller, error) {
	o, err := s.prepared, error(nil)
	if s.prepared = nil; o == nil {
		o, err = s.executor.Prepare(ctx, s.request)
	}
	if err != nil {
		return nil, nil, err
	}
	return o.open(ctx, after)
}

// open begins an execution. What refuses a subscription is the first answer to it.
func (o *Operation) open(ctx context.Context, after string) (stream.Execution, following.Puller, error) {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return nil, nil, err
	}
	// The resolvers' context lives as long as the execution, which is no caller's.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, cancel)()
	own, feed := stream.WithFeed(own, after)
	next, own := o.executor.exec.DispatchOperation(own, o.context)
	own = graphql.WithFieldContext(own, o.rootField())
	if feed.Bound() {
		return &execution{Operation: o, Feed: feed, viewer: v, next: func() *graphql.Response { return o.pull(own, next) }, cancel: cancel}, nil, nil
	}
	return nil, &puller{func(ctx context.Context) *graphql.Response {
		wait, interrupt := context.WithCancel(own)
		defer interrupt()
		defer context.AfterFunc(ctx, interrupt)()
		return o.pull(wait, next)
	}, cancel}, nil
}

// TryNext executes the operation for the next event, if there is one, unless
// another of its shape has.
func (x *execution) TryNext() (stream.Frame, bool, error) {
	event, ok, err := x.Feed.TryNext()
	if !ok {
		return stream.Frame{}, false, err
	}
	if x.shape == nil {
		x.shape = shapeOf(x)
	}
	at := event.Cursor()
	if payload, ok := x.shape.answer(event.ID); ok {
		x.Feed.Drop()
		return stream.Frame{Cursor: at, Payload: payload, Shared: true}, true, nil
	}
	a := encodeAnswer(x.next(), at.String(), nil)
	if a.Refused != nil {
		return stream.Frame{}, false, refused{a}
	}
	x.shape.keep(event.ID, a)
	return stream.Frame{Cursor: at, Payload: a.Payload}, true, nil
}

// Close ends the execution.
func (x *execution) Close() {
	x.cancel()
	x.Feed.Close()
}

// Pull implements following.Puller.
func (p *puller) Pull(ctx context.Context) ([]byte, error) {
	r := p.next(ctx)
	if r == nil {
		return nil, io.EOF
	}
	a := encodeAnswer(r, "", nil)
	if a.Refused != nil {
		return nil, refused{a}
	}
	return a.Payload, nil
}

// Close ends the execution.
func (p *puller) Close() { p.cancel() }

// Answer executes a query or mutation for the caller in ctx.
func (o *Operation) Answer(ctx context.Context) (payload []byte, err error) {
	a := o.Execute(ctx)
	if a.Refused != nil {
		return nil, refused{a}
	}
	return a.Payload, nil
}

// refused is the answer that ends a subscription.
type refused struct{ Answer }

func (r refused) Error() string { return r.Refused.Error() }

// Last is the last answer to a subscription that ended with why; nil: nothing
// is wrong.
func (e *Executor) Last(ctx context.Context, why error) *Answer {
	if errors.Is(why, io.EOF) {
		return nil
	}
	if errors.Is(why, stream.ErrDraining) {
		return &Answer{Draining: true}
	}
	a := Answer{}
	if r, ok := errors.AsType[refused](why); ok {
		a = r.Answer
	} else {
		a = e.Refuse(ctx, why)
	}
	return &a
}
