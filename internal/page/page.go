// Package page reads and makes the arguments of lists: how many items, and behind which one.
package page

import (
	"encoding/base64"

	"github.com/hark-events/hark"
)

// Items of one page.
const (
	Default = 50
	Max     = 500
)

// Args gives the limit of a page and the id that it begins behind: the zero ID
// for the first page. Its error is a BAD_USER_INPUT for "first" or "after".
func Args(first *int, after *string) (limit int, behind hark.ID, err error) {
	limit = Default
	if first != nil {
		if limit = *first; limit < 1 || limit > Max {
			return 0, hark.ID{}, hark.BadInput("first", "first is between 1 and %d", Max)
		}
	}
	if after != nil {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(*after)
		if err != nil || len(raw) != len(behind) || hark.ID(raw).IsZero() {
			return 0, hark.ID{}, hark.BadInput("after", "after is no cursor of this list: give back an endCursor as it came")
		}
		behind = hark.ID(raw)
	}
	return limit, behind, nil
}

// Cursor is the opaque text that means behind the item of that id.
func Cursor(id hark.ID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// Cut takes what a query for limit+1 items found: the page, and whether more follow.
func Cut[T any](items []T, limit int) (page []T, more bool) {
	if len(items) > limit {
		return items[:limit], true
	}
	return items, false
}
