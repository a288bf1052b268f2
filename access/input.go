package access

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hark-events/hark"
)

const maxSlug = 64

var slugs = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// checkSlug tells whether s can name a project beside its id.
func checkSlug(field, s string) error {
	if !slugs.MatchString(s) {
		return hark.BadInput(field, "a slug is 1 to %d lower-case letters, digits or '-'", maxSlug)
	}
	if _, err := hark.ParseID(s); err == nil {
		return hark.BadInput(field, "a slug must not look like a UUID, or it could be taken for the id of another project")
	}
	return nil
}

// checkName tells whether s can be shown to people as the name of something.
func checkName(field, s string) error {
	switch {
	case strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > hark.MaxName:
		return hark.BadInput(field, "a name has 1 to %d characters", hark.MaxName)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return hark.BadInput(field, "a name has no control characters")
	}
	return nil
}
