package delivery

import (
	"time"

	"github.com/hark-events/hark"
)

// Reserve takes a place for one delivery of a subscription that is about to be
// committed, already leased to this node for as long as lease says: the common
// case, which needs no claim. It is a slot, or a place ahead of the slots. Each
// must end in Start or Unreserve.
//
// It is not ok when there is no room, when the worker does not run, and when the
// delivery must take its turn in the queue: the worker has not delivered to
// this version of the subscription yet, knows of older work or a failure, or
// the subscription is ordered or paced. The delivery is then committed as due
// and unleased, and Due called.
func (w *Worker) Reserve(subscription hark.ID, version int64) (lease time.Duration, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != running {
		return 0, false
	}
	l := w.known(subscription)
	if l == nil {
		w.refused[subscription] = struct{}{}
		return 0, false
	}
	if l.backlog || l.claiming || l.failing || l.sub == nil || l.sub.Version != version || l.sub.Ordered || l.paced() || w.room(l, 1)+w.spare(l) == 0 {
		w.refused[subscription] = struct{}{}
		w.settle(l)
		return 0, false
	}
	if w.room(l, 1) > 0 {
		w.take(l, 1)
		l.reserved++
	} else {
		w.ahead++
		l.promised++
	}
	return Lease(l.sub.Timeout), true
}

// Due tells that deliveries which Reserve refused are committed. Whose they are
// is known, so the queue is not searched for them, as it is after Wake: while a
// subscription lags behind what is published, that would be a search for each
// commit.
func (w *Worker) Due() {
	w.mu.Lock()
	if len(w.refused) == 0 || w.state != running {
		w.look = fullLook
	}
	for id := range w.refused {
		l := w.line(id)
		l.backlog = l.backlog || !l.rests // its circuit may be open: a claim for each commit would find nothing
		w.settle(l)
	}
	clear(w.refused)
	w.mu.Unlock()
	w.signal()
}

// Start begins the attempts of deliveries that were reserved and are committed.
func (w *Worker) Start(ds []*hark.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range ds {
		// A line with a slot taken is a busy one. Its copy may be newer by now
		// than what the delivery was matched with; none at all is loaded anew.
		l := w.lines[d.SubscriptionID]
		if l == nil || l.reserved+l.promised == 0 || w.spawn == nil {
			panic("delivery: Start without Reserve")
		}
		slot := l.reserved > 0
		w.unreserve(l, 1)
		switch {
		case w.state == done: // past the drain: the lease runs out
		case w.state == draining && !slot:
			w.back = append(w.back, d)
		case slot:
			w.take(l, 1)
			w.spawn(l, l.sub, d, time.Time{})
		default:
			w.ahead++
			l.ahead = append(l.ahead, d)
			w.settle(l)
		}
	}
}

// unreserve undoes n of the calls of Reserve for l, slots first.
func (w *Worker) unreserve(l *line, n int) {
	slots := min(n, l.reserved)
	w.give(l, slots)
	l.reserved -= slots
	l.promised -= n - slots
	w.ahead -= n - slots
}

// Unreserve gives back n places that Reserve took: their transaction failed.
func (w *Worker) Unreserve(subscription hark.ID, n int) {
	w.mu.Lock()
	l := w.lines[subscription]
	if l == nil || l.reserved+l.promised < n {
		w.mu.Unlock()
		panic("delivery: Unreserve without Reserve")
	}
	w.unreserve(l, n)
	w.settle(l)
	w.checkDrained()
	again := w.waiting()
	w.mu.Unlock()
	if again {
		w.signal()
	}
}

// waiting tells whether the loop has something to do once a slot is free.
func (w *Worker) waiting() bool { return len(w.ready) > 0 || w.look > 0 }
