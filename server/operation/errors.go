package operation

import (
	"context"
	"errors"
	"log/slog"
	"maps"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
)

// present is gqlgen's error presenter: every error that a client sees passes here.
func (e *Executor) present(ctx context.Context, err error) *gqlerror.Error {
	var shown gqlerror.Error
	if g, ok := errors.AsType[*gqlerror.Error](err); ok {
		if _, own := g.Extensions["code"]; own && g.Err == nil {
			return g // of the parser, the validator or the complexity limit
		}
		shown.Path, shown.Locations = g.Path, g.Locations
	}
	he := wire.Classify(err)
	if fc := graphql.GetFieldContext(ctx); fc != nil && len(shown.Path) > len(fc.Path()) {
		he, shown.Path = atArgument(he, inputPath(shown.Path[len(fc.Path()):])), fc.Path()
	}
	wire.NoteRefusal(ctx, he)
	wire.LogInternal(ctx, e.log, he, slog.String("path", shown.Path.String()))
	shown.Message, shown.Extensions = he.Message, extensions(ctx, he)
	return &shown
}

// atArgument turns an error in reading an argument into one about that argument.
func atArgument(e *hark.Error, field string) *hark.Error {
	if e.Code == hark.Internal { // gqlgen's own words: about Go
		return hark.BadInput(field, "%s is not a valid value", field)
	}
	if e.Field != "" {
		return e
	}
	located := *e
	located.Field = field
	return &located
}

func extensions(ctx context.Context, e *hark.Error) map[string]any {
	ext := make(map[string]any, len(e.Details)+2)
	if e.Code == hark.Internal {
		ext["requestId"] = wire.RequestID(ctx)
	} else {
		maps.Copy(ext, e.Details)
	}
	if e.Field != "" {
		ext["field"] = e.Field
	}
	ext["code"] = string(e.Code)
	return ext
}

// Refuse encodes an error of Prepare, or any other that kept an operation from running.
func (e *Executor) Refuse(ctx context.Context, err error) Answer {
	errs, ok := errors.AsType[gqlerror.List](err)
	if !ok {
		he := wire.Classify(err)
		wire.LogInternal(ctx, e.log, he)
		wire.Note(ctx, slog.String("code", string(he.Code)))
		wire.NoteRefusal(ctx, he)
		errs = gqlerror.List{{Message: he.Message, Extensions: extensions(ctx, he)}}
		return encodeAnswer(&graphql.Response{Errors: errs}, "", he)
	}
	for i, err := range errs {
		errs[i] = e.present(ctx, err)
	}
	return encodeAnswer(&graphql.Response{Errors: errs}, "", nil)
}
