package stream

import (
	"errors"

	"github.com/hark-events/hark"
)

// ErrDraining ends readers when the hub stops: their clients go to another node.
var ErrDraining = errors.New("the node is draining: connect again")

var errClosed = errors.New("the reader is closed")

func gone() *hark.Error { return hark.Errorf(hark.NotFound, "the project does not exist (any more)") }

// expired says that a position is outside what the log holds.
func expired(project hark.ID, oldest int64) *hark.Error {
	e := hark.Errorf(hark.CursorExpired, "the cursor is outside of the events that are kept: go on from oldestCursor, or without a cursor")
	e.Details = map[string]any{"oldestCursor": hark.Cursor{Project: project, Sequence: max(oldest-1, 0)}.String()}
	return e
}

func is(err error, code hark.Code) bool {
	e, ok := errors.AsType[*hark.Error](err)
	return ok && e.Code == code
}
