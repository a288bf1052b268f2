package store

import (
	"time"

	"github.com/hark-events/hark"
)

const (
	// openAfter failures in a row open a circuit; so do windowFailures in a window
	// that has windowLeast attempts, if they are half of them.
	openAfter   = 10
	window      = time.Minute
	windowLeast = 20
	// firstProbe is when an open circuit is probed; each probe that fails doubles
	// the wait for the next one, up to lastProbe.
	firstProbe = 5 * time.Second
	lastProbe  = 5 * time.Minute
	// giveUpAfter is how long a subscription may fail without one success.
	giveUpAfter = 5 * 24 * time.Hour
)

// A circuit is how a subscription fares, as its row has it: all nodes go by it,
// also after a restart. The zero circuit is closed and has nothing to remember.
type circuit struct {
	failingSince hark.Time // of the first failure since the last success; 0: none
	failures     int       // in a row

	// The window begins with a failure, so healthy subscriptions have none.
	windowStart                    hark.Time
	windowAttempts, windowFailures int

	openedAt hark.Time // 0: it is closed
	probes   int       // that failed since then
	probeAt  hark.Time // of the next one
}

// What an outcome made of a circuit, as its alarm says.
const (
	turnedFailing = "failing"
	turnedOpen    = "opened"
	turnedClosed  = "closed"
)

// next gives the circuit after one more outcome, and what is to be told of it.
func (c circuit) next(a *hark.Attempt, now hark.Time) (after circuit, told []string) {
	if c.windowStart != 0 && now.Sub(c.windowStart) > window {
		c.windowStart, c.windowAttempts, c.windowFailures = 0, 0, 0
	}
	if a.Status == hark.Succeeded {
		if c.openedAt != 0 {
			return circuit{}, []string{turnedClosed}
		}
		c.failingSince, c.failures = 0, 0
		if c.windowStart != 0 {
			c.windowAttempts++
		}
		return c, nil
	}
	if c.failingSince == 0 {
		c.failingSince = now
		if c.windowStart == 0 { // told once a minute, of an endpoint that fails now and then
			told = append(told, turnedFailing)
		}
	}
	c.failures++
	if c.openedAt != 0 {
		if a.StartedAt >= c.openedAt { // else it was under way when the circuit opened
			c.probes++
			c.probeAt = now.Add(probeWait(c.probes))
		}
		return c, told
	}
	if c.windowStart == 0 {
		c.windowStart = now
	}
	c.windowAttempts++
	c.windowFailures++
	if c.failures >= openAfter || c.windowAttempts >= windowLeast && 2*c.windowFailures >= c.windowAttempts {
		c.openedAt, c.probes, c.probeAt = now, 0, now.Add(probeWait(0))
		told = append(told, turnedOpen)
	}
	return c, told
}

// probeWait is how long an open circuit waits after so many probes that failed.
func probeWait(probes int) time.Duration {
	wait := firstProbe
	for range probes {
		if wait *= 2; wait >= lastProbe {
			return lastProbe
		}
	}
	return wait
}
