package access

import (
	"regexp"

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
