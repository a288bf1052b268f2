package operation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/stream"
)

// An Operation is ready to execute, once.
type Operation struct {
	executor *Executor
	context  *graphql.OperationContext
	after    string
}

// Kind is what the operation is: query, mutation or subscription.
func (o *Operation) Kind() ast.Operation { return o.context.Operation.Operation }

// Execute gives the one answer of a query or mutation, for the caller in ctx.
func (o *Operation) Execute(ctx context.Context) Answer {
	next, ctx := o.executor.exec.DispatchOperation(ctx, o.context)
	return encodeAnswer(o.pull(ctx, next), "", nil)
}

// Answers gives the answers of any operation, until it is over, ctx ends or
// nobody wants more. The first of a stream has no payload: it says that the
// stream is open, and by its cursor where it begins.
//
// A subscription runs for the session's viewer: when that changes, it begins
// anew where it was, so what the caller may see holds from there on; when the
// session ends, so does it.
func (o *Operation) Answers(ctx context.Context, s *authority.Session) iter.Seq[Answer] {
	return func(yield func(Answer) bool) {
		if o.Kind() != ast.Subscription {
			yield(o.Execute(ctx))
			return
		}
		for again := true; again && ctx.Err() == nil; {
			v, changed, err := s.Current()
			if err != nil {
				return
			}
			again = o.subscribe(hark.WithViewer(ctx, v), changed, yield)
		}
	}
}

// subscribe runs the subscription until it is over (false) or changed ends (true).
func (o *Operation) subscribe(ctx context.Context, changed context.Context, yield func(Answer) bool) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, feed := stream.WithFeed(ctx, o.after)
	defer feed.Close()
	next, ctx := o.executor.exec.DispatchOperation(ctx, o.context)
	ctx = graphql.WithFieldContext(ctx, o.rootField())

	// It is open: what happens from here on will be told. Where it begins goes
	// with it, so that a client that has heard nothing yet can come back too.
	begin := Answer{}
	if feed.Bound() {
		begin.Cursor = feed.Cursor().String()
	}
	if !yield(begin) {
		return false
	}

	wait, interrupt := context.WithCancel(ctx)
	defer interrupt()
	defer context.AfterFunc(changed, interrupt)()

	for {
		a, err := o.next(ctx, wait, next, feed)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			if !yield(a) {
				return false
			}
		case changed.Err() != nil:
			if feed.Bound() {
				o.after = feed.Cursor().String()
			}
			return true
		case errors.Is(err, io.EOF):
			return false
		case errors.Is(err, stream.ErrDraining):
			yield(Answer{Draining: true})
			return false
		default:
			yield(o.executor.Refuse(ctx, err))
			return false
		}
	}
}

// next waits for one event and executes the operation for it. Only the wait is
// interrupted: an event that was taken is answered. io.EOF: there are no more.
func (o *Operation) next(ctx, wait context.Context, next graphql.ResponseHandler, feed *stream.Feed) (Answer, error) {
	if feed.Bound() {
		event, err := feed.Next(wait)
		if err != nil {
			return Answer{}, err
		}
		r := o.pull(ctx, next)
		if r == nil { // ctx ended: gqlgen took that and not the event
			return Answer{}, io.EOF
		}
		return encodeAnswer(r, event.Cursor().String(), nil), nil
	}
	// Here gqlgen both waits and executes, so what is interrupted may be cut.
	r := o.pull(wait, next)
	switch {
	case wait.Err() != nil:
		return Answer{}, wait.Err()
	case r == nil:
		return Answer{}, io.EOF
	}
	return encodeAnswer(r, "", nil), nil
}

// pull executes once. A panic that gqlgen let through becomes INTERNAL.
func (o *Operation) pull(ctx context.Context, next graphql.ResponseHandler) (r *graphql.Response) {
	defer func() {
		if p := recover(); p != nil {
			err := o.executor.recovered(ctx, p)
			r = &graphql.Response{Errors: gqlerror.List{o.executor.present(ctx, err)}}
		}
	}()
	r = next(ctx)
	if r != nil && bytes.HasSuffix(r.Data, []byte(":null}")) && o.Kind() == ast.Subscription && bytes.Equal(r.Data, o.nullRoot()) {
		r.Data = []byte("null")
	}
	return r
}

// rootField is the field that all paths inside of an event begin with; gqlgen leaves it out.
func (o *Operation) rootField() *graphql.FieldContext {
	field := &ast.Field{}
	for _, f := range graphql.CollectFields(o.context, o.context.Operation.SelectionSet, []string{"Subscription"}) {
		field = f.Field
	}
	return &graphql.FieldContext{Object: "Subscription", Field: graphql.CollectedField{Field: field}}
}

// nullRoot is the data of an event that came out as null: every root field of
// hark's subscriptions is non-null, so all of data must be.
func (o *Operation) nullRoot() []byte {
	return append(append([]byte{'{'}, encode(o.rootField().Field.Alias)...), `:null}`...)
}
