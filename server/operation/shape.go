package operation

import (
	"encoding/json"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hark-events/hark"
)

// What is kept of each shape.
const (
	keptAnswers = 256      // what its executions may be apart, in events
	keptLength  = 16 << 10 // bytes of an answer at most
)

// shapes are what the answers of the running subscriptions look like: those of
// one shape differ in what they let through, and in nothing else. So an event is
// executed once for all that let it through.
type shapes struct {
	mu  sync.Mutex
	all map[string]*shape
}

func newShapes() *shapes { return &shapes{all: map[string]*shape{}} }

// A shape is a selection of an event's own fields.
type shape struct {
	name  string
	users atomic.Int64 // executions; changed under the mutex of shapes
	kept  *lru.Cache[hark.Cursor, []byte]
}

// enter gives the shape of a name to one more execution.
func (s *shapes) enter(name string) *shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[name] == nil {
		kept, _ := lru.New[hark.Cursor, []byte](keptAnswers) // fails for a size below 1 only
		s.all[name] = &shape{name: name, kept: kept}
	}
	s.all[name].users.Add(1)
	return s.all[name]
}

func (s *shapes) leave(sh *shape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.users.Add(-1) == 0 {
		delete(s.all, sh.name)
	}
}

// answer gives the answer to an event that another execution has had; nil: none
// is known.
func (sh *shape) answer(at hark.Cursor) []byte {
	if sh == nil || sh.users.Load() < 2 {
		return nil
	}
	payload, _ := sh.kept.Get(at)
	return payload
}

// keep keeps an answer for the others.
func (sh *shape) keep(at hark.Cursor, a Answer) {
	if sh != nil && sh.users.Load() > 1 && a.Errors == nil && len(a.Payload) <= keptLength {
		sh.kept.Add(at, a.Payload)
	}
}

// shapeName tells shapes apart: by the operation and its variables, without
// those of the field that opens the stream. It is empty where answers may differ
// by the caller.
func (x *execution) shapeName() string {
	if beyond(x.rootField().Field.SelectionSet) {
		return ""
	}
	vars, _ := json.Marshal(x.usedVariables(func(string) bool { return false })) // they came as JSON
	return x.text(func(string) bool { return false }) + "\x00" + x.context.OperationName + "\x00" + string(vars)
}
