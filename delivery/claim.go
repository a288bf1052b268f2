package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hark-events/hark"
)

// fullLook is the number of ends of the queue to be reached until all of it was
// looked at, from wherever the look starts.
const fullLook = 2

// fill starts what can start now.
func (w *Worker) fill(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.recall(ctx); err != nil {
			return err
		}
		if err := w.giveBack(ctx); err != nil {
			return err
		}
		more, err := w.lookUp(ctx)
		if err != nil {
			return err
		}
		round := w.next()
		if len(round) == 0 && !more {
			return nil
		}
		if err := w.load(ctx, round); err != nil {
			w.putBack(round)
			return err
		}
		if err := w.claim(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// lookUp asks the queue for one page of those who are due, if a look is owed
// and the worker has not enough to do already. Pages go round and round over
// the subscriptions, so none is overlooked however many are due. It tells
// whether another page is owed.
func (w *Worker) lookUp(ctx context.Context) (more bool, err error) {
	limit := w.conf.Concurrency
	w.mu.Lock()
	if w.look == 0 || w.free == 0 || len(w.ready) >= limit {
		w.mu.Unlock()
		return false, nil
	}
	owed, after := w.look, w.after
	w.look = 0 // a Wake from here on asks for another look
	w.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	ids, err := w.queue.Due(ctx, after, limit)

	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		w.look = fullLook
		return false, fmt.Errorf("due: %w", err)
	case len(ids) >= limit:
		w.after = ids[len(ids)-1]
	case after.IsZero(): // all in one page
		owed = 0
	default:
		w.after = hark.ID{}
		owed--
	}
	w.look = max(w.look, owed)
	for _, id := range ids {
		l := w.line(id)
		l.backlog, l.rests = true, false
		w.enqueue(l)
	}
	return w.look > 0, nil
}

// next takes the lines whose turn it is: no more than there are free slots.
func (w *Worker) next() []*line {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unrecorded >= unrecordedPerSlot*w.conf.Concurrency {
		return nil
	}
	n := min(len(w.ready), w.free)
	round := append([]*line(nil), w.ready[:n]...)
	w.ready = w.ready[:copy(w.ready, w.ready[n:])]
	return round
}

// putBack queues lines anew that next took.
func (w *Worker) putBack(round []*line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range round {
		l.queued = false
		w.settle(l)
	}
}

// load loads the subscriptions of those lines that have none, or one without its
// secrets, whose key may be back. One that is gone is claimed all the same, so
// that its deliveries tell why.
func (w *Worker) load(ctx context.Context, round []*line) error {
	for _, l := range round {
		w.mu.Lock()
		cold := l.sub == nil || l.sub.Lost != ""
		w.mu.Unlock()
		if !cold {
			continue
		}
		s, err := w.subscription(ctx, l.id)
		if err != nil && !IsPermanent(err) {
			return err
		}
		w.mu.Lock()
		l.sub, l.missing = s, err != nil
		w.mu.Unlock()
	}
	return nil
}

// subscription loads s. An error that is Permanent means that there is none.
func (w *Worker) subscription(ctx context.Context, id hark.ID) (*hark.Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	s, err := w.queue.Subscription(ctx, id)
	if e, ok := errors.AsType[*hark.Error](err); ok && e.Code == hark.NotFound {
		return nil, Permanent(errors.New("the subscription does not exist any more"))
	}
	if err != nil {
		return nil, fmt.Errorf("subscription: %w", err)
	}
	return s, nil
}

// claim leases deliveries for the lines of a round and starts them.
func (w *Worker) claim(ctx context.Context, round []*line) error {
	turns, lease := w.wants(round)
	if len(turns) == 0 {
		return nil
	}
	wants := make([]hark.Want, len(turns))
	for i, t := range turns {
		wants[i] = t.want()
	}
	// Not cut by the end of ctx: what was leased must be known, to be given back.
	claimCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTimeout)
	defer cancel()
	ds, err := w.queue.Claim(claimCtx, wants, lease)
	if err != nil {
		w.giveUp(turns)
		return errors.Join(fmt.Errorf("claim: %w", err), w.release(ctx, ds))
	}
	return w.release(ctx, w.launch(ctx, turns, ds))
}

// A turn is what a line claims: for slots that it has taken, and ahead.
type turn struct {
	line         *line
	slots, ahead int
	ordered      bool
	maxPerSecond int
}

func (t turn) want() hark.Want {
	return hark.Want{Subscription: t.line.id, N: t.slots + t.ahead, Ordered: t.ordered, MaxPerSecond: t.maxPerSecond}
}

// wants takes slots for the lines of a round. What is ahead starts at once.
func (w *Worker) wants(round []*line) (turns []turn, lease time.Duration) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, l := range round {
		l.queued = false
		n := w.room(l, len(round)-i)
		if l.paced() {
			starts := l.starts(now)
			if starts == 0 {
				w.park(l, now)
			}
			n = min(n, starts)
		}
		n -= w.advance(l, n, now)
		t := turn{line: l}
		if l.backlog {
			t.slots, t.ahead = n, min(aheadClaim, w.spare(l))
		}
		if t.slots+t.ahead == 0 {
			continue // its own next attempt to end, or the next look, brings it back
		}
		l.backlog, l.claiming = false, true
		w.take(l, t.slots)
		timeout := hark.DefaultTimeout
		if l.sub != nil {
			t.ordered, t.maxPerSecond, timeout = l.sub.Ordered, l.sub.MaxPerSecond, l.sub.Timeout
		}
		lease = max(lease, Lease(timeout))
		turns = append(turns, t)
	}
	return turns, lease
}

// launch starts claimed deliveries and returns those that must go back: claimed
// under an outdated copy of the subscription, whose order and bounds may differ
// by now, or too late, in a drain.
func (w *Worker) launch(ctx context.Context, turns []turn, ds []*hark.Delivery) (back []*hark.Delivery) {
	now := time.Now()
	byLine := make(map[hark.ID][]*hark.Delivery, len(turns))
	for _, d := range ds {
		byLine[d.SubscriptionID] = append(byLine[d.SubscriptionID], d)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range turns {
		l, got := t.line, byLine[t.line.id]
		l.claiming = false
		// With a pace fewer may mean that other nodes have their share of it.
		l.backlog = l.backlog || len(got) >= t.slots+t.ahead || l.paced() && len(got) > 0
		l.rests = l.failing && len(got) == 0
		started := 0
		for _, d := range got {
			switch {
			case ctx.Err() != nil || l.outdated(d.SubscriptionVersion):
				back = append(append(back, w.forgo(l)...), d)
				l.backlog = true
			case started == t.slots:
				l.ahead = append(l.ahead, d)
				w.ahead++
			default:
				started++
				w.spawn(l, l.sub, d, l.start(d, now))
			}
		}
		w.give(l, t.slots-started)
		l.missing = false // load it again next time
		w.settle(l)
	}
	return back
}

// giveUp undoes wants.
func (w *Worker) giveUp(turns []turn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range turns {
		t.line.backlog, t.line.claiming = true, false
		w.give(t.line, t.slots)
		w.settle(t.line)
	}
}
