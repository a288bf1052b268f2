package hark

import (
	"io"
	"log/slog"
)

// A Secret is text that never shows: printed, logged or marshalled it is
// "[redacted]". Reveal gives it to the one who sends it.
type Secret string

const redacted = "[redacted]"

// Reveal gives the text itself.
func (s Secret) Reveal() string { return string(s) }

func (Secret) String() string { return redacted }

// GoString keeps %#v from showing the text.
func (Secret) GoString() string { return redacted }

// LogValue keeps the text out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the text out of JSON and the like; it never fails.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalGQL keeps the text out of answers: what is shown once is revealed by hand.
func (Secret) MarshalGQL(w io.Writer) {
	_, _ = io.WriteString(w, `"`+redacted+`"`) // gqlgen's writer is a buffer
}

// UnmarshalGQL reads a GraphQL String.
func (s *Secret) UnmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok {
		return Errorf(BadUserInput, "a secret is a string")
	}
	*s = Secret(text)
	return nil
}
