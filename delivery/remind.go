package delivery

import (
	"time"

	"github.com/hark-events/hark"
)

const (
	// remindWithin is how far ahead the worker remembers its own retries. The poll
	// finds those that come later, up to a second late, and those of other nodes.
	remindWithin = time.Minute
	// remindStep is to what the moments are rounded up, so that one claim serves
	// all retries that come due within it.
	remindStep = 50 * time.Millisecond
	// maxReminders bounds what is remembered.
	maxReminders = 10_000
)

// A reminder is a moment at which a subscription is to be claimed from.
type reminder struct {
	subscription hark.ID
	at           hark.Time
}

// remind has l claimed from when one of its retries is due, so that the queue
// need not be searched more often than once a second. Called with the lock held.
func (w *Worker) remind(l *line, at hark.Time) {
	r := reminder{l.id, (at + hark.Time(remindStep) - 1) / hark.Time(remindStep) * hark.Time(remindStep)}
	left := time.Until(r.at.Time())
	if _, known := w.reminders[r]; known || left > remindWithin || len(w.reminders) >= maxReminders || w.state != running {
		return
	}
	w.reminders[r] = struct{}{}
	time.AfterFunc(left, func() {
		w.mu.Lock()
		delete(w.reminders, r)
		l := w.line(r.subscription) // another one by now, perhaps
		l.backlog = true
		w.settle(l)
		w.mu.Unlock()
		w.signal()
	})
}
