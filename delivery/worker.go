package delivery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/batch"
)

const (
	// pollEvery is how often the worker looks for due deliveries by itself.
	pollEvery = time.Second
	// keptLines is how many idle subscriptions are remembered, credentials opened.
	keptLines = 10_000
	// unrecordedPerSlot bounds the outcomes that wait to be recorded: when the
	// database is slower than the subscribers, no attempt starts beyond it.
	unrecordedPerSlot = 4
	// recordMax is the most outcomes in one transaction, recordBytes the most text.
	recordMax   = 1000
	recordBytes = 4 << 20
	// Outcomes wait a little for others while there are many: nobody waits for
	// them, and a transaction of fifty costs less than half of five of ten each.
	recordLinger = 5 * time.Millisecond
	recordMany   = 8
	// queueTimeout bounds each call of the queue.
	queueTimeout = 10 * time.Second
)

// Config tunes a Worker. The zero value of a field means its default.
type Config struct {
	// Attempts in flight; default 256. On loopback 64 to 1,024 bring the same
	// number a second; more slots are for subscribers that take their time:
	// 256 make 5,000 a second of answers that come after 50 ms.
	Concurrency  int
	DrainTimeout time.Duration // how long attempts in flight may go on after the end; default 20s

	// Observe, if set, is called before each attempt. The context that it
	// returns is the attempt's; the func, if not nil, is told what came of it, nil
	// if the end of the drain cut it.
	Observe func(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (context.Context, func(*hark.Attempt))
}

// A Worker makes the attempts that are due, fairly over subscriptions: each has
// its own bound in flight and its own pace, and none may take more than its
// share of the slots while others wait.
type Worker struct {
	queue    Queue
	drivers  Drivers
	log      *slog.Logger
	conf     Config
	outcomes *batch.Group[*hark.Attempt]
	kick     chan struct{} // there may be something to do

	mu         sync.Mutex
	state      state
	free       int                            // slots
	ahead      int                            // deliveries claimed for which there is no slot yet
	unrecorded int                            // attempts that ended, outcomes not stored yet
	lines      map[hark.ID]*line              // the busy ones
	idle       *simplelru.LRU[hark.ID, *line] // the others: a line is in one of both
	ready      []*line                        // due and with room, first come first served
	refused    map[hark.ID]struct{}           // by Reserve, since the last Due
	look       int                            // passes over the queue that are owed, see lookUp
	recheck    bool                           // a call of recall is owed
	after      hark.ID                        // where the next look starts
	reminders  map[reminder]struct{}          // of retries, see remind
	back       []*hark.Delivery               // leases to be given back: their attempts were not made, or cut
	drained    chan struct{}                  // closed when draining and nothing is left

	// spawn starts an attempt at the given time under Run's context; nil before Run.
	spawn func(l *line, s *hark.Subscription, d *hark.Delivery, at time.Time)
}

type state int

const (
	fresh state = iota
	running
	draining
	done
)

var (
	errDrained = errors.New("hark is shutting down")
	errOnce    = errors.New("a worker runs once")
)

// NewWorker makes a Worker; Run starts it.
func NewWorker(q Queue, d Drivers, log *slog.Logger, c Config) *Worker {
	if c.Concurrency <= 0 {
		c.Concurrency = 256
	}
	if c.DrainTimeout <= 0 {
		c.DrainTimeout = 20 * time.Second
	}
	idle, _ := simplelru.NewLRU[hark.ID, *line](keptLines, nil) // fails for a size below 1 only
	w := &Worker{
		queue: q, drivers: d, log: log, conf: c,
		kick:  make(chan struct{}, 1),
		free:  c.Concurrency,
		lines: make(map[hark.ID]*line),
		idle:  idle,

		refused:   make(map[hark.ID]struct{}),
		reminders: make(map[reminder]struct{}),
	}
	w.drained = make(chan struct{})
	w.outcomes = batch.New(recordMax, recordBytes, outcomeSize, w.commit)
	w.outcomes.Linger(recordLinger, recordMany)
	return w
}

// Wake hints that something is due, or no longer to be sent, of whichever
// subscription. It never blocks.
func (w *Worker) Wake() {
	w.mu.Lock()
	w.look, w.recheck = fullLook, true
	w.mu.Unlock()
	w.signal()
}

// signal makes the loop go round once more.
func (w *Worker) signal() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// Run makes attempts until ctx ends. Then it claims nothing more, lets the
// attempts in flight finish for up to DrainTimeout, cuts those that remain and
// gives them back uncounted. Trouble with the queue is logged and tried again.
// A Worker runs once.
func (w *Worker) Run(ctx context.Context) error {
	attempts, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	w.mu.Lock()
	if w.state != fresh {
		w.mu.Unlock()
		return errOnce
	}
	w.state, w.look = running, fullLook
	w.spawn = func(l *line, s *hark.Subscription, d *hark.Delivery, at time.Time) {
		go w.attempt(attempts, l, s, d, at)
	}
	w.mu.Unlock()

	w.loop(ctx)
	return w.drain(ctx, cut)
}

func (w *Worker) loop(ctx context.Context) {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	var pause time.Duration // after trouble with the queue
	polled := time.Now()
	for ctx.Err() == nil {
		if err := w.fill(ctx); err != nil && ctx.Err() == nil {
			pause = min(max(2*pause, 100*time.Millisecond), 5*time.Second)
			w.log.ErrorContext(ctx, "delivery.queue", "err", err, "retry_in", pause)
			wait(ctx, pause)
			continue
		}
		pause = 0
		next := polled.Add(pollEvery)
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
		case <-w.kick:
		case <-timer.C:
		}
		if now := time.Now(); !now.Before(next) { // under load there is always a kick first
			polled = now
			w.mu.Lock()
			w.look, w.recheck = fullLook, true
			w.mu.Unlock()
		}
	}
}

// wait waits for d or the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
