package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/hark-events/hark"
)

// An Issue is one thing wrong with a request's body.
type Issue struct {
	Path    string `json:"path"` // such as "register.0.event"; empty: the body as a whole
	Message string `json:"message"`
}

// problem is the JSON form of an error.
type problem struct {
	ReqID      string         `json:"reqId"`
	StatusCode int            `json:"statusCode"`
	Message    any            `json:"message"` // a string; for 422 a list of Issue
	Error      string         `json:"error"`
	Details    map[string]any `json:"details,omitempty"`
}

// WriteError answers with err in the JSON form, and logs it when it is hark's own failure.
func WriteError(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		Refuse(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes: send less at once", e.Limit))
		return
	}
	e := Classify(err)
	LogInternal(r.Context(), log, e)
	Note(r.Context(), slog.String("code", string(e.Code)))
	NoteRefusal(r.Context(), e)
	SetHeaders(w.Header(), e)
	p := problem{Message: e.Message, StatusCode: Status(e.Code), Error: name(e), Details: e.Details}
	switch e.Code {
	case hark.BadUserInput:
		p.Message = []Issue{{e.Field, e.Message}}
	case hark.Internal:
		p.Details = nil
	}
	write(w, r, p)
}

// Refuse answers with a status of HTTP's own and one sentence.
func Refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	write(w, r, problem{Message: message, StatusCode: status, Error: strings.ReplaceAll(http.StatusText(status), " ", "")})
}

// Unprocessable answers 422 with all that is wrong with the body.
func Unprocessable(w http.ResponseWriter, r *http.Request, issues []Issue) {
	write(w, r, problem{Message: issues, StatusCode: http.StatusUnprocessableEntity, Error: "ValidationFailure"})
}

func write(w http.ResponseWriter, r *http.Request, p problem) {
	p.ReqID = RequestID(r.Context())
	WriteJSON(w, p.StatusCode, p)
}

// WriteJSON answers with v as JSON, `<` and `>` left as they are.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		http.Error(w, internalMessage, http.StatusInternalServerError) // v is one of our own structs
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // nobody is left to tell
}

// Status is the HTTP status that goes with a code.
func Status(c hark.Code) int {
	switch c {
	case hark.Unauthenticated:
		return http.StatusUnauthorized
	case hark.Forbidden:
		return http.StatusForbidden
	case hark.NotFound:
		return http.StatusNotFound
	case hark.Conflict:
		return http.StatusConflict
	case hark.CursorExpired:
		return http.StatusGone
	case hark.BadUserInput:
		return http.StatusUnprocessableEntity
	case hark.RateLimited:
		return http.StatusTooManyRequests
	case hark.TooComplex, hark.ParseFailed, hark.Invalid:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// name is the JSON form's name of an error.
func name(e *hark.Error) string {
	switch e.Code {
	case hark.Unauthenticated:
		if tokenRefused(e) {
			return "TokenError"
		}
		return "UnauthorizedError"
	case hark.Forbidden:
		return "PermissionDenied"
	case hark.BadUserInput:
		return "ValidationFailure"
	case hark.RateLimited:
		return "RateLimitExceeded"
	}
	return strings.ReplaceAll(http.StatusText(Status(e.Code)), " ", "")
}

// tokenRefused tells a bad token from a missing one and from a failed login:
// access names the reason.
func tokenRefused(e *hark.Error) bool {
	reason, ok := e.Details["reason"]
	return ok && reason != "invalid_credentials"
}

// SetHeaders sets the header that an error needs: WWW-Authenticate or Retry-After.
func SetHeaders(h http.Header, e *hark.Error) {
	switch e.Code {
	case hark.Unauthenticated:
		challenge := "Bearer"
		if tokenRefused(e) {
			challenge += fmt.Sprintf(` error="invalid_token", error_description=%q`, e.Message)
		}
		h.Set("WWW-Authenticate", challenge)
	case hark.RateLimited:
		seconds, _ := e.Details["retryAfter"].(int) // hark.TooOften
		h.Set("Retry-After", strconv.Itoa(max(1, seconds)))
	}
}
