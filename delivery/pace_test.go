package delivery

import (
	"testing"
	"time"
)

// TestNoMoreThanThePaceInAnySecond has attempts come late, and others on time.
func TestNoMoreThanThePaceInAnySecond(t *testing.T) {
	t.Parallel()
	const n = 10
	var s second
	began := time.Unix(1_700_000_000, 0)
	var starts []time.Time
	for i := range 100 {
		now := began.Add(time.Duration(i) * time.Second / n)
		if i%7 == 0 { // late for three of the others
			now = now.Add(310 * time.Millisecond)
		}
		if len(starts) > 0 && now.Before(starts[len(starts)-1]) {
			now = starts[len(starts)-1]
		}
		for wait := s.admit(now, n); wait > 0; wait = s.admit(now, n) {
			now = now.Add(wait)
		}
		starts = append(starts, now)
	}
	for i, from := range starts {
		in := 0
		for _, at := range starts[i:] {
			if at.Sub(from) < time.Second {
				in++
			}
		}
		if in > n+1 {
			t.Fatalf("%d start within the second after the %dth", in, i)
		}
	}
	if took := starts[99].Sub(began); took > 11*time.Second {
		t.Errorf("100 of 10 a second take %v", took)
	}
}
