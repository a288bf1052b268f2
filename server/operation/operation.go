package operation

import (
	"bytes"
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// An Operation is ready to execute: once, a subscription any number of times.
type Operation struct {
	executor *Executor
	request  Request
	context  *graphql.OperationContext
}

// Kind is what the operation is: query, mutation or subscription.
func (o *Operation) Kind() ast.Operation { return o.context.Operation.Operation }

// Execute gives the one answer of a query or mutation, for the caller in ctx.
func (o *Operation) Execute(ctx context.Context) Answer {
	next, own := o.executor.exec.DispatchOperation(ctx, o.context)
	r := o.pull(own, next)
	if r == nil { // ctx has ended before
		return o.executor.Refuse(ctx, context.Cause(ctx))
	}
	return encodeAnswer(r, "", nil)
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
