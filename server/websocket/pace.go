package websocket

import (
	"context"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark/server/audience"
)

// A pace lets so many messages pass in a second, on average: a client that
// comes back may start all its operations at once.
type pace struct {
	due time.Time // when all that has passed would have, one after the other
}

// pass takes one message; false: there have been too many.
func (p *pace) pass(now time.Time, rate, burst int) bool {
	if p.due.Before(now) {
		p.due = now
	}
	step := time.Second / time.Duration(rate)
	p.due = p.due.Add(step)
	return p.due.Sub(now) <= step*time.Duration(burst)
}

// answers tells whether a ping is to be answered. The library asks, one after the
// other; pings are bounded beside messages, as each costs an answer.
func (c *conn) answers(context.Context, []byte) bool {
	if c.flooded {
		return false
	}
	if c.pings.pass(time.Now(), c.limits.MessageRate, 2*c.limits.MessageRate) {
		return true
	}
	c.flooded = true
	_ = c.audience.Meet(audience.MessageRate, "")
	c.end(&closing{code: websocket.StatusTryAgainLater, reason: "Too many pings"})
	return false
}
