package operation

import (
	"crypto/sha256"
	"encoding/json"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hark-events/hark"
)

const (
	// keptBytes is how many bytes of answers are kept, of all shapes together: some
	// 40,000 answers, for clients that come back together from so far behind.
	keptBytes = 32 << 20

	// answerOverhead is about what an answer takes beside its bytes.
	answerOverhead = 256
)

// answers are those that were used last: an event is executed once for all
// subscriptions of a shape that let it through, those that are live and those
// that come back.
type answers struct {
	kept  *lru.Cache[answerKey, []byte]
	bytes atomic.Int64
}

// An answerKey names an event by its id: in a database that was restored, its
// sequence may be another one's.
type answerKey struct {
	shape [sha256.Size]byte
	event hark.ID
}

func newAnswers() *answers {
	a := &answers{}
	a.kept, _ = lru.NewWithEvict(keptBytes/answerOverhead, func(_ answerKey, payload []byte) { // fails for a size below 1 only
		a.bytes.Add(-answerBytes(payload))
	})
	return a
}

func answerBytes(payload []byte) int64 { return answerOverhead + int64(cap(payload)) }

// keep makes room at the cost of what was not used for longest.
func (a *answers) keep(key answerKey, payload []byte) {
	if _, there, _ := a.kept.PeekOrAdd(key, payload); there {
		return
	}
	for room := keptBytes - a.bytes.Add(answerBytes(payload)); room < 0; room = keptBytes - a.bytes.Load() {
		if _, _, ok := a.kept.RemoveOldest(); !ok {
			return
		}
	}
}

// A shape is what the answers of a subscription look like: a selection of an
// event's own fields. Subscriptions of one shape differ in what they let through
// and in where they are, and in nothing else.
type shape struct {
	answers *answers // nil: they may differ by the caller
	sum     [sha256.Size]byte
}

// shapeOf gives the shape of an execution: its operation and the variables,
// without those of the field that opens the stream.
func shapeOf(x *execution) *shape {
	if beyond(x.rootField().Field.SelectionSet) {
		return &shape{}
	}
	none := func(string) bool { return false }
	vars, _ := json.Marshal(x.usedVariables(none)) // they came as JSON
	text := x.text(none) + "\x00" + x.context.OperationName + "\x00" + string(vars)
	return &shape{answers: x.executor.answers, sum: sha256.Sum256([]byte(text))}
}

// answer gives the answer to an event, if it is kept.
func (s *shape) answer(event hark.ID) (payload []byte, ok bool) {
	if s.answers == nil {
		return nil, false
	}
	return s.answers.kept.Get(answerKey{s.sum, event})
}

// keep keeps an answer for the others.
func (s *shape) keep(event hark.ID, a Answer) {
	if s.answers != nil && a.Errors == nil {
		s.answers.keep(answerKey{s.sum, event}, a.Payload)
	}
}
