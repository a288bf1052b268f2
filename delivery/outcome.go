package delivery

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// failure marks an error that no retry helps.
type failure struct {
	error
	gone bool
}

func (f *failure) Unwrap() error { return f.error }

// Permanent marks err as one that no retry helps: the delivery becomes a dead
// letter at once.
func Permanent(err error) error { return &failure{error: err} }

// Gone marks err as the subscriber's last word (410): the delivery becomes a
// dead letter and the subscription is disabled.
func Gone(err error) error { return &failure{error: err, gone: true} }

// IsPermanent tells whether err was marked by Permanent or Gone.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[*failure](err)
	return ok
}

// IsGone tells whether err was marked by Gone.
func IsGone(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.gone
}

// maxError bounds Attempt.Error, in bytes.
const maxError = 1 << 10

// Text makes s fit for a text column and a page: valid UTF-8 of at most limit
// bytes without NUL, which PostgreSQL does not store.
func Text(s string, limit int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
