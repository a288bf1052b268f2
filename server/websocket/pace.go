package websocket

import "time"

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
