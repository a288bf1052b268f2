package page

import "context"

// A List is one page of items.
type List[T any] struct {
	Items []T
	More  bool // further items follow

	// Count says how many items there are on all pages.
	Count func(context.Context) (int, error)
}
