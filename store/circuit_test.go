package store

import (
	"slices"
	"testing"
	"time"

	"github.com/hark-events/hark"
)

// run gives a circuit after attempts, each a step after the one before: 'x' is a
// failure, '.' a success.
func run(t *testing.T, c circuit, now *hark.Time, step time.Duration, attempts string) (circuit, []string) {
	t.Helper()
	var told []string
	for _, r := range attempts {
		*now = now.Add(step)
		a := &hark.Attempt{StartedAt: *now, Status: hark.Succeeded}
		if r == 'x' {
			a.Status = hark.Pending
		}
		var more []string
		c, more = c.next(a, *now)
		told = append(told, more...)
	}
	return c, told
}

func TestWhatOpensACircuit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		step     time.Duration
		attempts string
		told     []string
	}{
		"all is well":                   {time.Second, "....................", nil},
		"nine in a row":                 {time.Second, "xxxxxxxxx.xxxxxxxxx", []string{"failing"}},
		"ten in a row":                  {time.Hour, "xxxxxxxxxx", []string{"failing", "opened"}},
		"half of twenty in a minute":    {time.Second, "x.x.x.x.x.x.x.x.x.xx", []string{"failing", "opened"}},
		"half of twenty in two minutes": {6 * time.Second, "xx.xx.xx..x.x.x.x.x.", []string{"failing", "failing"}},
		"a third of many":               {time.Second, "x..x..x..x..x..x..x..x..", []string{"failing"}},
		"closed by one success":         {time.Second, "xxxxxxxxxx.", []string{"failing", "opened", "closed"}},
	} {
		now := hark.Now()
		_, told := run(t, circuit{}, &now, tt.step, tt.attempts)
		if !slices.Equal(told, tt.told) {
			t.Errorf("%s: told %v, want %v", name, told, tt.told)
		}
	}
}

func TestProbesComeMoreAndMoreSeldom(t *testing.T) {
	t.Parallel()
	now := hark.Now()
	c, _ := run(t, circuit{}, &now, time.Second, "xxxxxxxxxx")
	// What was under way when it opened is no probe.
	c, _ = c.next(&hark.Attempt{StartedAt: c.openedAt.Add(-time.Second), Status: hark.Pending}, now)
	var waits []time.Duration
	for range 9 {
		waits = append(waits, c.probeAt.Sub(now))
		now = c.probeAt
		c, _ = run(t, c, &now, 0, "x")
	}
	want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute, 5 * time.Minute, 5 * time.Minute}
	if !slices.Equal(waits, want) {
		t.Errorf("probes wait %v", waits)
	}
	if c, told := run(t, c, &now, time.Second, "."); c != (circuit{}) || !slices.Equal(told, []string{"closed"}) {
		t.Errorf("after a success: %+v, %v", c, told)
	}
}
