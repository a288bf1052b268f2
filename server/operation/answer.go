package operation

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/hark-events/hark"
)

// An Answer is one result of an operation, encoded: the same bytes for
// everyone who asked the same.
type Answer struct {
	Payload []byte // the whole result as a JSON object
	Errors  []byte // its errors as a JSON array; nil where there are none
	Cursor  string // of the event, to go on behind it; empty: it is of no log

	// Refused is the first error when there is no data, not even null: the
	// operation did not run, or a subscription ends.
	Refused *hark.Error

	// Draining is set when the node stops: there is no payload, and the client
	// should come back elsewhere.
	Draining bool
}

// encodeAnswer writes a response by hand: encoding/json would compact the
// payloads inside of it. It copies Data, a buffer that the next pull resets.
func encodeAnswer(r *graphql.Response, cursor string, cause *hark.Error) Answer {
	a := Answer{Cursor: cursor}
	b := append(make([]byte, 0, len(r.Data)+64), '{')
	if len(r.Errors) > 0 {
		a.Errors = encodeErrors(r.Errors)
		b = append(append(b, `"errors":`...), a.Errors...)
	}
	if r.Data != nil {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(b, `"data":`...), r.Data...)
	} else if a.Refused = cause; cause == nil {
		a.Refused = refusal(r.Errors)
	}
	if cursor != "" {
		r.Extensions = map[string]any{"cursor": cursor}
	}
	if len(r.Extensions) > 0 {
		b = append(append(b, `,"extensions":`...), encode(r.Extensions)...)
	}
	a.Payload = append(b, '}')
	return a
}

func encodeErrors(errs gqlerror.List) []byte {
	b := []byte{'['}
	for i, err := range errs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, encode(err)...)
	}
	return append(b, ']')
}

// refusal is the first error as hark knows it, from what was presented.
func refusal(errs gqlerror.List) *hark.Error {
	if len(errs) == 0 {
		return &hark.Error{Code: hark.Internal}
	}
	code, _ := errs[0].Extensions["code"].(string)
	return &hark.Error{Code: hark.Code(code), Message: errs[0].Message, Details: errs[0].Extensions}
}
