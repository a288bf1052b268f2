package hark

import (
	"fmt"
	"time"
)

// A Code names a kind of error to machines. It is part of the API: clients
// switch on extensions.code, so a code is never renamed.
type Code string

// The codes of hark's errors.
const (
	Unauthenticated Code = "UNAUTHENTICATED"
	Forbidden       Code = "FORBIDDEN"
	BadUserInput    Code = "BAD_USER_INPUT"
	NotFound        Code = "NOT_FOUND"
	Conflict        Code = "CONFLICT"
	CursorExpired   Code = "CURSOR_EXPIRED"
	RateLimited     Code = "RATE_LIMITED"
	TooComplex      Code = "COMPLEXITY_LIMIT_EXCEEDED"
	ParseFailed     Code = "GRAPHQL_PARSE_FAILED"
	Invalid         Code = "GRAPHQL_VALIDATION_FAILED"
	Internal        Code = "INTERNAL"
)

// An Error is what a caller may know of a failure.
type Error struct {
	Code    Code
	Message string         // one sentence that names what to change; shown
	Field   string         // the input at fault, a path such as "input.2.path"; shown
	Details map[string]any // further extensions; shown
	Err     error          // the cause; logged, never shown
}

// Errorf makes an Error whose message is shown to the caller.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// BadInput makes a BadUserInput error about the input at path field.
func BadInput(field, format string, args ...any) *Error {
	return &Error{Code: BadUserInput, Field: field, Message: fmt.Sprintf(format, args...)}
}

// TooOften makes a RateLimited error: the caller may come back after wait, which
// Details["retryAfter"] has in whole seconds, at least 1.
func TooOften(wait time.Duration, format string, args ...any) *Error {
	e := Errorf(RateLimited, format, args...)
	e.Details = map[string]any{"retryAfter": max(1, int((wait+time.Second-1)/time.Second))}
	return e
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
