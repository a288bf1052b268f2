package delivery

import (
	"time"

	"github.com/hark-events/hark"
)

// paceAhead is how far ahead a paced subscription's deliveries are claimed, so
// that a thousand a second do not mean a thousand claims a second.
const paceAhead = 100 * time.Millisecond

const (
	// aheadPerSlot is how many deliveries a subscription has ahead at most, for
	// each slot that it may have: leased to us before there is a slot for them.
	// They start without waiting for the database, and one claim brings many.
	aheadPerSlot = 64
	// aheadFor is for how long they wait: as many are ahead as begin within it.
	aheadFor = time.Second
	// aheadClaim is how many one claim brings ahead, so that the transaction stays short.
	aheadClaim = 128
	// forgoAfter failures in a row what is ahead is given back.
	forgoAfter = 3
	// aheadPerWorkerSlot bounds what is ahead of all subscriptions, for each slot
	// of the worker: their payloads are in memory.
	aheadPerWorkerSlot = 4
)

// A line is what the worker knows of one subscription. All of it is under the
// worker's lock.
type line struct {
	id      hark.ID
	sub     *hark.Subscription // nil: to be loaded before the next claim
	missing bool               // it cannot be loaded: claimed all the same, for its deliveries to tell
	asked   int64              // the version for which it was loaded again

	ahead    []*hark.Delivery // leased and waiting for a slot, oldest first
	promised int              // by Reserve, to be ahead
	reserved int              // of the slots taken, by Reserve
	took     time.Duration    // the last attempt, if it went well

	inFlight int  // slots taken
	backlog  bool // the queue has, or may have, more that is due
	claiming bool // a claim is under way: backlog is of what came since
	failing  bool // the last attempt failed
	failures int  // in a row
	rests    bool // it fails, and nothing of it was to be claimed: until the next look
	queued   bool // in Worker.ready
	parked   bool // until its pace lets it start again

	second    second    // with a pace
	nextStart time.Time // with a pace: no attempt starts before; what the queue says counts
}

// limit bounds what l may have in flight.
func (l *line) limit() int {
	switch {
	case l.sub == nil:
		return hark.DefaultMaxInFlight
	case l.sub.Ordered:
		return 1
	case l.sub.MaxInFlight <= 0:
		return hark.DefaultMaxInFlight
	}
	return l.sub.MaxInFlight
}

func (l *line) paced() bool { return l.sub != nil && l.sub.MaxPerSecond > 0 }

func (l *line) interval() time.Duration { return time.Second / time.Duration(l.sub.MaxPerSecond) }

// starts is how many attempts the pace lets start from now on within paceAhead:
// none while those claimed before fill half of it.
func (l *line) starts(now time.Time) int {
	first := max(0, l.nextStart.Sub(now))
	if first > paceAhead/2 {
		return 0
	}
	return 1 + int((paceAhead-first)/max(l.interval(), 1))
}

// outdated tells whether the copy is older than version, and drops it then. A
// queue that goes on giving an older copy gets its way.
func (l *line) outdated(version int64) bool {
	switch {
	case l.missing:
		return false
	case l.sub != nil && (l.sub.Version >= version || l.asked == version):
		return false
	}
	l.sub, l.asked = nil, version
	return true
}

// start is when an attempt starts: at once or, with a pace, at the moment that
// the queue gave to d, which shares the pace among all nodes. What was not used
// before is lost: there is no burst.
func (l *line) start(d *hark.Delivery, now time.Time) time.Time {
	if !l.paced() {
		return now
	}
	at := l.nextStart
	if s := d.StartAt.Time(); d.StartAt != 0 && s.After(at) { // what comes late keeps its distance all the same
		at = s
	}
	if at.Before(now) {
		at = now
	}
	l.nextStart = at.Add(l.interval())
	return at
}

// line returns the line of a subscription as a busy one, made if need be.
func (w *Worker) line(id hark.ID) *line {
	if l := w.known(id); l != nil {
		return l
	}
	l := &line{id: id}
	w.lines[id] = l
	return l
}

// known is line for a subscription that was seen before, else nil.
func (w *Worker) known(id hark.ID) *line {
	if l, ok := w.lines[id]; ok {
		return l
	}
	l, ok := w.idle.Get(id)
	if !ok {
		return nil
	}
	w.idle.Remove(id)
	w.lines[id] = l
	return l
}

// room is how many more l may take when sharers subscriptions want slots: never
// more than an equal share of what is free and its own together, with one share
// left for whoever comes next.
func (w *Worker) room(l *line, sharers int) int {
	if w.free == 0 || w.unrecorded >= unrecordedPerSlot*w.conf.Concurrency {
		return 0
	}
	share := max(1, (l.inFlight+w.free)/(sharers+1))
	return max(0, min(l.limit(), share)-l.inFlight)
}

// take and give move n slots to l and back.
func (w *Worker) take(l *line, n int) { l.inFlight += n; w.free -= n }
func (w *Worker) give(l *line, n int) { l.inFlight -= n; w.free += n }

// capacity is how many deliveries l may have ahead.
func (l *line) capacity() int {
	if l.failing || l.took == 0 || l.sub == nil || l.sub.Ordered || l.paced() {
		return 0
	}
	perSlot := min(aheadFor, bounded(l.sub.Timeout)/4) / l.took
	return l.limit() * min(aheadPerSlot, int(perSlot))
}

// spare is how many deliveries l may get ahead beyond those that it has.
func (w *Worker) spare(l *line) int {
	return max(0, min(l.capacity()-len(l.ahead)-l.promised, aheadPerWorkerSlot*w.conf.Concurrency-w.ahead))
}

// forgo takes from l what it has ahead, to be released.
func (w *Worker) forgo(l *line) []*hark.Delivery {
	ds := l.ahead
	l.ahead = nil
	w.ahead -= len(ds)
	return ds
}

// advance starts what l has ahead, in up to n slots, and tells how many
// it took. What has waited for so long that its lease may not cover the attempt
// and its record goes back.
func (w *Worker) advance(l *line, n int, now time.Time) int {
	if len(l.ahead) > 0 && l.sub != nil && l.ahead[0].LeasedUntil.Time().Sub(now) < bounded(l.sub.Timeout)*3/2 {
		w.back = append(w.back, w.forgo(l)...)
		l.backlog = true
		w.signal()
	}
	n = min(n, len(l.ahead))
	w.take(l, n)
	for i := range n {
		w.spawn(l, l.sub, l.ahead[i], now)
		l.ahead[i] = nil
	}
	if l.ahead = l.ahead[n:]; len(l.ahead) == 0 {
		l.ahead = nil
	}
	w.ahead -= n
	return n
}

// wanting tells whether l has a use for a turn.
func (w *Worker) wanting(l *line) bool {
	if l.inFlight < l.limit() {
		return l.backlog || len(l.ahead) > 0
	}
	spare := w.spare(l)
	return l.backlog && spare > 0 && spare >= min(aheadClaim, l.capacity()/2) // one claim for many
}

// settle puts l, after a turn, where it belongs: among the ready while it has
// work and room, among the idle when it has nothing at all. While a look is
// owed, others may wait that we do not know of: then l gets its next turn when
// the look comes round to it.
func (w *Worker) settle(l *line) {
	if w.state == running && len(l.ahead) > 0 {
		w.advance(l, w.room(l, 1), time.Now())
	}
	switch {
	case l.queued || l.parked || w.state != running && l.backlog:
	case w.wanting(l):
		if w.look > 0 && len(l.ahead) == 0 {
			w.look = fullLook
			return
		}
		w.enqueue(l)
	case !l.backlog && !l.claiming && l.inFlight == 0 && len(l.ahead)+l.promised == 0:
		l.second = nil // what comes next is spaced all the same
		delete(w.lines, l.id)
		w.idle.Add(l.id, l)
	}
}

// enqueue puts l among the ready if it has a use for a turn.
func (w *Worker) enqueue(l *line) {
	if !l.queued && !l.parked && w.wanting(l) {
		l.queued = true
		w.ready = append(w.ready, l)
	}
}

// park keeps l out of the ready until its pace lets it start again.
func (w *Worker) park(l *line, now time.Time) {
	l.parked = true
	time.AfterFunc(l.nextStart.Add(-paceAhead/2).Sub(now), func() {
		w.mu.Lock()
		l.parked = false
		w.settle(l)
		w.mu.Unlock()
		w.signal()
	})
}
