package operation

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/complexity"
	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
)

// A Guard says which root fields the caller in ctx may use.
type Guard interface {
	// CheckField is asked before a root field such as "Mutation.publishEvents" is resolved.
	CheckField(ctx context.Context, field string) error
	// MayIntrospect is asked when introspection is switched off.
	MayIntrospect(ctx context.Context) bool
}

// An Executor executes the operations of one schema.
type Executor struct {
	guard         Guard
	introspection bool
	log           *slog.Logger

	exec      *executor.Executor
	es        graphql.ExecutableSchema
	documents *documents
	persisted *persisted
	answers   *answers
}

// NewExecutor makes an Executor. Without introspection only those that the
// guard lets may ask for the schema, and nothing is answered without a token.
func NewExecutor(es graphql.ExecutableSchema, g Guard, introspection bool, log *slog.Logger) *Executor {
	e := &Executor{
		guard: g, introspection: introspection, log: log,
		exec: executor.New(es), es: es, documents: newDocuments(es.Schema()), persisted: newPersisted(), answers: newAnswers(),
	}
	e.exec.SetQueryCache(loaded{})
	e.exec.SetErrorPresenter(e.present)
	e.exec.SetRecoverFunc(e.recovered)
	e.exec.AroundFields(e.guardField)
	return e
}

// guardField asks the guard for root fields. As field middleware, not root
// field middleware: a refused field that is not nullable makes data null.
func (e *Executor) guardField(ctx context.Context, next graphql.Resolver) (any, error) {
	fc := graphql.GetFieldContext(ctx)
	switch fc.Object {
	case "Query", "Mutation", "Subscription":
		if strings.HasPrefix(fc.Field.Name, introspectionRun) {
			break // Prepare has decided
		}
		if err := e.guard.CheckField(ctx, fc.Object+"."+fc.Field.Name); err != nil {
			return nil, err
		}
	}
	return next(ctx)
}

// A Request asks for one operation.
type Request struct {
	Query         string
	OperationName string
	Variables     json.RawMessage // an object, null or empty
	Extensions    json.RawMessage // the same
}

// Prepare makes an operation of a request, for the caller in ctx. Nothing is
// executed yet. Refuse encodes its error.
func (e *Executor) Prepare(ctx context.Context, req Request) (_ *Operation, err error) {
	_, anonymous := hark.ViewerFrom(ctx)
	if anonymous != nil && !e.introspection {
		return nil, anonymous
	}
	query, err := e.persisted.resolve(req.Query, req.Extensions)
	if err != nil {
		return nil, err
	}
	if query == "" {
		return nil, hark.BadInput("query", "the request has no query")
	}
	doc, err := e.documents.load(query)
	if err != nil {
		return nil, err
	}
	op := doc.Operations.ForName(req.OperationName)
	if op == nil {
		return nil, hark.BadInput("operationName", "the document has no operation of that name, or several and none was named")
	}
	if err := e.checkIntrospection(ctx, rootFields(doc, op), anonymous); err != nil {
		return nil, err
	}
	vars, err := decodeVariables(e.es.Schema(), op, req.Variables)
	if err != nil {
		return nil, err
	}
	opCtx, err := e.context(withLoaded(ctx, doc), &graphql.RawParams{
		Query: query, OperationName: req.OperationName, Variables: vars,
	})
	if err != nil {
		return nil, err
	}
	opCtx.DisableIntrospection = false // decided above
	// A stream keeps its request: in the words of the cached document, which are the same for all.
	req.Query, req.Extensions = op.Position.Src.Input, nil
	wire.Note(ctx, slog.String("operation", strings.TrimSpace(string(op.Operation)+" "+op.Name)))
	return &Operation{e, req, opCtx}, nil
}

func (e *Executor) checkIntrospection(ctx context.Context, fields []string, anonymous error) error {
	introspects := func(name string) bool { return name == "__schema" || name == "__type" }
	other := func(name string) bool { return !strings.HasPrefix(name, introspectionRun) }
	switch {
	case anonymous != nil && slices.ContainsFunc(fields, other):
		return anonymous
	case !e.introspection && slices.ContainsFunc(fields, introspects) && !e.guard.MayIntrospect(ctx):
		return hark.Errorf(hark.Forbidden, "introspection is switched off for callers without READ_ACCESS")
	}
	return nil
}

// context makes gqlgen's operation context. A panic here is outside of gqlgen's care.
func (e *Executor) context(ctx context.Context, p *graphql.RawParams) (_ *graphql.OperationContext, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = e.recovered(ctx, r)
		}
	}()
	opCtx, errs := e.exec.CreateOperationContext(graphql.StartOperationTrace(ctx), p)
	if len(errs) > 0 {
		for _, err := range errs { // of variables: the document's are found in load
			if err.Extensions["code"] == string(hark.Invalid) && len(err.Path) > 1 {
				return nil, hark.BadInput(inputPath(err.Path[1:]), "%s %s", inputPath(err.Path[1:]), err.Message)
			}
		}
		return nil, errs
	}
	// The validator counts names of fields, not answers to them.
	if op := opCtx.Operation; op.Operation == ast.Subscription && len(graphql.CollectFields(opCtx, op.SelectionSet, []string{"Subscription"})) != 1 {
		return nil, hark.Errorf(hark.Invalid, "a subscription selects one field: start one operation for each stream")
	}
	if cost := complexity.Calculate(ctx, e.es, opCtx.Operation, opCtx.Variables); cost > maxComplexity {
		return nil, hark.Errorf(hark.TooComplex,
			"the operation costs %d, more than %d: ask for fewer fields, or smaller pages of them", cost, maxComplexity)
	}
	return opCtx, nil
}

// recovered logs a panic with its stack; the caller learns nothing of it.
func (e *Executor) recovered(ctx context.Context, p any) error {
	e.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("request", wire.RequestID(ctx)),
		slog.Any("err", fmt.Errorf("%v", p)), slog.String("stack", string(debug.Stack())))
	return wire.Panicked()
}

// inputPath writes a path as extensions.field does: input.2.path.
func inputPath(path ast.Path) string {
	parts := make([]string, len(path))
	for i, p := range path {
		parts[i] = fmt.Sprint(p)
	}
	return strings.Join(parts, ".")
}
