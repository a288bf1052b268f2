package hark

import "log/slog"

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
