package page_test

import (
	"errors"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/page"
)

func TestArgs(t *testing.T) {
	t.Parallel()
	id := hark.NewID()
	cursor := page.Cursor(id)
	limit, behind, err := page.Args(nil, &cursor)
	if err != nil || limit != page.Default || behind != id {
		t.Errorf("%d, %v, %v", limit, behind, err)
	}
	for _, n := range []int{0, -1, page.Max + 1} {
		if _, _, err := page.Args(&n, nil); field(err) != "first" {
			t.Errorf("first %d: %v", n, err)
		}
	}
	for _, s := range []string{"", "x", cursor + "A", cursor[1:], page.Cursor(hark.ID{})} {
		if _, _, err := page.Args(nil, &s); field(err) != "after" {
			t.Errorf("after %q: %v", s, err)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	if items, more := page.Cut([]int{1, 2, 3}, 2); len(items) != 2 || !more {
		t.Error(items, more)
	}
	if items, more := page.Cut([]int{1, 2}, 2); len(items) != 2 || more {
		t.Error(items, more)
	}
}

func field(err error) string {
	if e, ok := errors.AsType[*hark.Error](err); ok && e.Code == hark.BadUserInput {
		return e.Field
	}
	return ""
}
