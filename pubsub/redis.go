package pubsub

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-events/hark"
)

var _ Broker = (*Redis)(nil)

// Config tunes a Redis. The zero value of a field means its default.
type Config struct {
	QueueBytes  int // announcements that wait for Redis; default 16 MiB
	QueueEvents int // events in them; default 65,536
}

// Redis is a broker of many nodes: each project has a channel, each node one
// connection that listens to the channels of the projects somebody listens to
// here, and one that publishes. On a Redis Cluster it is one of each for every
// shard, and pub/sub is sharded.
//
// Subscriptions of the same node do not wait for Redis. While Redis is away,
// announcements wait in a bounded queue from which the oldest are dropped;
// both connections come back by themselves.
type Redis struct {
	network network
	log     *slog.Logger
	node    hark.ID
	local   *Local
	out     *outbox

	// Its goroutines start with what first needs them and end with Close.
	run     func(func(context.Context))
	stop    context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex // guards the rest
	sending bool
	hearing bool
	closed  bool

	changes changes // projects that gained or lost their listeners

	sent, received atomic.Uint64
	stranger       atomic.Bool // a message that this node does not understand has been logged
}

// NewRedis makes a broker over the Redis at url: redis:// or rediss://, with
// user, password, and database as redis.ParseURL reads them; several hosts
// separated by commas are nodes of a Redis Cluster. It connects when
// it is first used. An error never shows the password.
func NewRedis(url string, log *slog.Logger, c Config) (*Redis, error) {
	n, err := newNetwork(url)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		network: n,
		log:     log,
		node:    hark.NewID(),
		local:   NewLocal(),
		out:     newOutbox(cmp.Or(c.QueueBytes, 16<<20), cmp.Or(c.QueueEvents, 65_536)),
		changes: newChanges(),
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.run = func(f func(context.Context)) { r.running.Go(func() { f(ctx) }) }
	return r, nil
}

// channel is where a project's events are announced. Braces make the id the
// part that decides the slot of a sharded Redis.
func channel(project hark.ID) string { return "hark:{" + project.String() + "}:events" }

// projectOf undoes channel; a channel that it did not make belongs to no project.
func projectOf(channel string) (id hark.ID) {
	const prefix, suffix = "hark:{", "}:events"
	if len(channel) == len(prefix)+36+len(suffix) {
		id, _ = hark.ParseID(channel[len(prefix) : len(channel)-len(suffix)]) // else the zero ID
	}
	return id
}

// Publish implements Broker.
func (r *Redis) Publish(project hark.ID, events []*hark.Event) {
	if len(events) == 0 {
		return
	}
	r.local.hand(project, events)
	r.out.put(project, events)
	r.begin(&r.sending, r.send)
}

// Subscribe implements Broker. What other nodes announce arrives from the first
// call without events on.
func (r *Redis) Subscribe(project hark.ID, handle func([]*hark.Event)) (cancel func()) {
	forget := r.local.Subscribe(project, handle)
	r.changes.add(project)
	r.begin(&r.hearing, r.hear)
	return func() {
		forget()
		r.changes.add(project)
	}
}

func (r *Redis) begin(begun *bool, f func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !*begun && !r.closed {
		*begun = true
		r.run(f)
	}
}

// Ping implements Broker: one round trip to Redis.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.network.commands().Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// Close implements Broker.
func (r *Redis) Close() error {
	r.mu.Lock()
	closed := r.closed
	r.closed = true
	r.mu.Unlock()
	if closed {
		return nil
	}
	r.stop()
	r.running.Wait()
	_ = r.local.Close() // never fails
	if err := r.network.commands().Close(); err != nil {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// RedisStats counts events since the start, and those that wait now.
type RedisStats struct {
	Sent     uint64 // announced to other nodes, perhaps more than once
	Received uint64 // announced by other nodes
	Dropped  uint64 // not announced: Redis was away for too long
	Waiting  int    // to be announced
}

// Stats is a snapshot of the broker's counters.
func (r *Redis) Stats() RedisStats {
	waiting, dropped := r.out.stats()
	return RedisStats{Sent: r.sent.Load(), Received: r.received.Load(), Dropped: dropped, Waiting: waiting}
}

// An outage says once that Redis is away, and once that it is back.
type outage struct {
	log   *slog.Logger
	what  string
	since time.Time
}

func (o *outage) begin(err error) {
	if o.since.IsZero() {
		o.since = time.Now()
		o.log.Warn(o.what+" redis: it is away, events are read from the database", "err", err)
	}
}

func (o *outage) end() {
	if !o.since.IsZero() {
		o.log.Info(o.what+" redis: it is back", "after", time.Since(o.since))
		o.since = time.Time{}
	}
}
