package operation

import (
	"testing"

	"github.com/hark-events/hark"
)

// What is kept is bounded in bytes, whatever the answers weigh; those that were
// used last stay.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	a := newAnswers()
	s := &shape{answers: a}
	used := hark.NewID()
	s.keep(used, Answer{Payload: []byte("used")})
	for i := range 6000 {
		e := hark.NewID()
		for range 2 { // by two executions at once
			s.keep(e, Answer{Payload: make([]byte, 1<<(i%17))})
		}
		if _, ok := s.answer(used); !ok {
			t.Fatalf("what is used all the time is gone after %d others", i)
		}
	}
	total := int64(0)
	for _, payload := range a.kept.Values() {
		total += answerBytes(payload)
	}
	if n := a.bytes.Load(); n != total || n > keptBytes || n < keptBytes-(1<<17) {
		t.Errorf("%d bytes are kept, %d counted", total, n)
	}
}

// An answer with errors is the caller's own: it may come of his rights, or pass.
func TestErrorsAreNotShared(t *testing.T) {
	t.Parallel()
	s, e := &shape{answers: newAnswers()}, hark.NewID()
	s.keep(e, Answer{Payload: []byte("{}"), Errors: []byte("[]")})
	if _, ok := s.answer(e); ok {
		t.Error("it is kept")
	}
	s.keep(e, Answer{Payload: []byte("{}")})
	if _, ok := s.answer(e); !ok {
		t.Error("one without errors is not")
	}
	if _, ok := (&shape{answers: s.answers, sum: [32]byte{1}}).answer(e); ok {
		t.Error("another shape has it too")
	}
}
