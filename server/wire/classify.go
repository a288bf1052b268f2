package wire

import (
	"context"
	"errors"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// internalMessage is all that a caller learns of a failure that is hark's own.
const internalMessage = "internal error"

// Classify gives what the caller may know of err: its code, message, field and
// details. What it does not know is INTERNAL "internal error". Err of the result
// is for the log alone; nil where there is nothing to log.
func Classify(err error) *hark.Error {
	if e, ok := errors.AsType[*hark.Error](err); ok {
		if e.Code == hark.Internal {
			return &hark.Error{Code: hark.Internal, Message: internalMessage, Err: e.Err}
		}
		return e
	}
	if e, ok := errors.AsType[*ent.ValidationError](err); ok {
		return &hark.Error{Code: hark.BadUserInput, Field: e.Name, Message: e.Name + " is not valid" + because(e), Err: e}
	}
	switch {
	case ent.IsNotFound(err):
		return &hark.Error{Code: hark.NotFound, Message: "there is no such record"}
	case ent.IsConstraintError(err):
		return &hark.Error{Code: hark.Conflict, Message: "it conflicts with an existing record"}
	case errors.Is(err, context.Canceled): // the caller went away, or the server stops
		return &hark.Error{Code: hark.Internal, Message: "the request was cancelled"}
	case errors.Is(err, context.DeadlineExceeded):
		return &hark.Error{Code: hark.Internal, Message: "the request took too long: ask for less at once", Err: err}
	}
	return &hark.Error{Code: hark.Internal, Message: internalMessage, Err: err}
}

// because gives the reason of a validator, without ent's own words around it.
func because(e *ent.ValidationError) string {
	reason := e.Unwrap()
	if reason == nil {
		return ""
	}
	if inner := errors.Unwrap(reason); inner != nil {
		return ": " + inner.Error()
	}
	return ""
}

// Panicked is the error for a panic that was logged where it was caught.
func Panicked() *hark.Error { return &hark.Error{Code: hark.Internal, Message: internalMessage} }
