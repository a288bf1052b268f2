package access

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
)

func TestNothingKeptOutlivesAChangeOrASecondInTheDark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCache()
		c.confirm(1, time.Now())
		generation, read := c.generation.Load(), time.Now()
		check := func(what string, want bool) {
			t.Helper()
			if c.usable(generation, read) != want {
				t.Errorf("%s: usable: %v", what, !want)
			}
		}
		check("just read", true)
		time.Sleep(900 * time.Millisecond) // in virtual time
		c.confirm(1, time.Now())
		time.Sleep(900 * time.Millisecond)
		check("confirmed meanwhile", true)
		time.Sleep(200 * time.Millisecond)
		check("not confirmed for more than a second", false)
		c.confirm(1, time.Now())
		check("confirmed late", true)
		if c.confirm(2, time.Now()); c.usable(generation, time.Now()) {
			t.Error("a slow read of the old revision is used")
		}

		generation = c.generation.Load()
		c.raised(3)
		check("changed here", false)
		if c.confirm(3, time.Now()) {
			t.Error("a change made here is news")
		}
		c.raised(5)
		if !c.confirm(5, time.Now()) {
			t.Error("the change of another node before one made here is no news")
		}
	})
}

func TestSetsForgetWhatNobodyUses(t *testing.T) {
	t.Parallel()
	s := newSets()
	r := s.get([]hark.Rule{{Actions: hark.Actions()}})
	s.forget(r.Key()) // as a late cleanup of an earlier one would
	if s.get([]hark.Rule{{Actions: hark.Actions()}}) != r {
		t.Error("what is in use was forgotten")
	}
}
