package operation

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/stream"
)

// An execution runs a subscription for a viewer. One goroutine at a time uses it.
type execution struct {
	*Operation
	*stream.Feed
	ctx    context.Context // of the resolvers; as long as the execution lives, which is no caller's
	cancel context.CancelFunc
	next   graphql.ResponseHandler
	viewer *hark.Viewer
}

var _ stream.Execution = (*execution)(nil)

// open begins an execution for the caller in ctx, behind the cursor after if
// there is one. What refuses it is the first answer. Only the beginning ends
// with ctx.
func (o *Operation) open(ctx context.Context, v *hark.Viewer, after string) *execution {
	x := &execution{Operation: o, viewer: v}
	own, cancel := context.WithCancel(hark.WithViewer(context.WithoutCancel(ctx), v))
	defer context.AfterFunc(ctx, cancel)()
	own, x.Feed = stream.WithFeed(own, after)
	x.next, own = o.executor.exec.DispatchOperation(own, o.context)
	x.ctx, x.cancel = graphql.WithFieldContext(own, o.rootField()), cancel
	return x
}

// TryNext executes the operation for the next event, if there is one.
func (x *execution) TryNext() (stream.Frame, bool, error) {
	event, ok, err := x.Feed.TryNext()
	if !ok {
		return stream.Frame{}, false, err
	}
	at := event.Cursor()
	a := encodeAnswer(x.pull(x.ctx, x.next), at.String(), nil)
	if a.Refused != nil {
		return stream.Frame{}, false, refused{a}
	}
	return stream.Frame{Cursor: at, Payload: a.Payload}, true, nil
}

// Close ends the execution.
func (x *execution) Close() {
	x.cancel()
	x.Feed.Close()
}

// refused is the answer that ends a subscription.
type refused struct{ Answer }

func (r refused) Error() string { return r.Refused.Error() }
