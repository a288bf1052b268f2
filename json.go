package hark

import (
	"encoding/json"
	"io"
)

// JSON is one JSON value as text, byte for byte as it came. Nil means null.
type JSON []byte

// MarshalJSON gives the text itself.
//
// encoding/json compacts what a marshaler returns: where bytes must stay as
// they are, append them by hand.
func (j JSON) MarshalJSON() ([]byte, error) { return json.RawMessage(j).MarshalJSON() }

// UnmarshalJSON keeps a copy of the text.
func (j *JSON) UnmarshalJSON(b []byte) error {
	*j = append((*j)[:0], b...)
	return nil
}

// MarshalGQL writes the GraphQL scalar JSON: the text itself.
func (j JSON) MarshalGQL(w io.Writer) {
	if len(j) == 0 {
		_, _ = io.WriteString(w, "null") // gqlgen's writer is a buffer
		return
	}
	_, _ = w.Write(j)
}

// UnmarshalGQL reads the GraphQL scalar JSON. A variable arrives as
// json.RawMessage and a literal as JSON text in a string: server prepares both,
// because a Go map would lose the order of keys and a float64 digits.
func (j *JSON) UnmarshalGQL(v any) error {
	switch v := v.(type) {
	case json.RawMessage:
		*j = JSON(v)
	case string:
		*j = JSON(v)
	case nil:
		*j = JSON("null")
	default: // a literal with variables inside it
		b, err := json.Marshal(v)
		if err != nil {
			return &Error{Code: BadUserInput, Message: "the value is no JSON", Err: err}
		}
		*j = b
	}
	return nil
}
