package projectevents

import (
	"encoding/json"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// An execution makes frames of the events of a reader, for all who have
// registered for the same and may hear the same.
type execution struct {
	Reader
	key stream.Key
}

var _ stream.Execution = (*execution)(nil)

func newExecution(r Reader, register []hark.Registration) *execution {
	text, _ := json.Marshal(register) // strings alone
	return &execution{r, stream.Key{Operation: "project-events\x00" + string(text), Class: r.Class()}}
}

// Key implements stream.Execution.
func (x *execution) Key() stream.Key { return x.key }

// TryNext implements stream.Execution. Where the log has left the reader
// behind, it begins anew: with a gap.
func (x *execution) TryNext() (stream.Frame, bool, error) {
	e, ok, err := x.Reader.TryNext()
	switch {
	case ok:
		return stream.Frame{Cursor: e.Cursor(), Payload: frames(e)}, true, nil
	case err != nil && wire.Classify(err).Code == hark.CursorExpired:
		err = stream.ErrBehind
	}
	return stream.Frame{}, false, err
}
