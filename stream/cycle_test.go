package stream

import (
	"testing"
	"testing/synctest"
	"time"
)

// a round of a group in a cycle, whose reading and writing take some time.
func round(c *cycle, p *place, answers int, read, write time.Duration) (began, wrote time.Time) {
	c.begin(p)
	began = time.Now()
	time.Sleep(read)
	c.turn()
	wrote = time.Now()
	time.Sleep(write)
	c.end(p, answers)
	return began, wrote
}

// All that come together read before any of them writes, and rest together.
func TestCycle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, start := &cycle{}, time.Now()
		var places [3]place
		done := make(chan time.Duration)
		for i := range places {
			c.enter(&places[i])
		}
		for i := range places {
			go func() {
				began, wrote := round(c, &places[i], i+1, time.Duration(i+1)*time.Millisecond, time.Millisecond)
				if began != start {
					t.Errorf("%d begins after %v", i, began.Sub(start))
				}
				done <- wrote.Sub(start)
			}()
		}
		for range places {
			if wrote := <-done; wrote != 3*time.Millisecond {
				t.Errorf("one writes after %v, the last has read after 3 ms", wrote)
			}
		}
		c.enter(&places[0])
		if began, _ := round(c, &places[0], 1, 0, 0); began.Sub(start) != 8*time.Millisecond {
			t.Errorf("the next one begins after %v: 4 ms of work are followed by 4 of rest", began.Sub(start))
		}
		c.enter(&places[0])
		if began, _ := round(c, &places[0], 1, 0, 0); began.Sub(start) != 8*time.Millisecond {
			t.Errorf("another begins after %v: what takes no time is followed by no rest", began.Sub(start))
		}
		c.enter(&places[0])
		round(c, &places[0], manyAnswers-1, 0, time.Second)
		c.enter(&places[0])
		if began, _ := round(c, &places[0], 1, 0, 0); began.Sub(start) != time.Second+8*time.Millisecond {
			t.Errorf("one begins after %v: few answers are followed by no rest", began.Sub(start))
		}
	})
}

// Who has had its round waits for those who have not ended theirs, not for long;
// who comes late waits for nobody.
func TestCycleIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, start := &cycle{}, time.Now()
		var slow, again, late place
		c.enter(&slow)
		c.enter(&again)
		done := make(chan struct{})
		go func() {
			round(c, &slow, 1, 0, time.Second)
			close(done)
		}()
		if _, wrote := round(c, &again, 1, 0, time.Millisecond); wrote != start {
			t.Errorf("it writes after %v", wrote.Sub(start))
		}
		c.enter(&late)
		if _, wrote := round(c, &late, 1, 0, 0); wrote.Sub(start) != time.Millisecond {
			t.Errorf("who comes late writes after %v", wrote.Sub(start))
		}
		c.enter(&again)
		if began, wrote := round(c, &again, 1, 0, 0); began.Sub(start) != time.Millisecond+maxWait || wrote != began {
			t.Errorf("its second round begins after %v", began.Sub(start))
		}
		<-done
		if c.busy != 0 || c.read != 0 {
			t.Errorf("%d are in a cycle that is over", c.busy)
		}
	})
}
