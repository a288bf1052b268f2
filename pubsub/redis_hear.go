package pubsub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hark-events/hark"
)

const (
	heartbeat   = 2 * time.Second // between pings of a listening connection
	deaf        = 5 * time.Second // without a word, not even a pong: the connection is dead
	maxChannels = 1000            // in one SUBSCRIBE
	lookEvery   = time.Second     // at which shard has which project
)

// hear keeps an ear at each Redis with channels of projects that somebody
// listens to here, until ctx ends.
func (r *Redis) hear(ctx context.Context) {
	ears := map[*redis.Client]*ear{}
	at := map[hark.ID]*ear{}
	var all sync.WaitGroup
	defer all.Wait()
	open := func(c *redis.Client) *ear {
		e := ears[c]
		if e == nil {
			own, stop := context.WithCancel(ctx)
			e = &ear{Redis: r, client: c, stop: stop, changes: newChanges(), mine: map[hark.ID]bool{}}
			ears[c] = e
			all.Go(func() { e.hear(own) })
		}
		return e
	}
	// place has a project listened to where its channel is now.
	place := func(p hark.ID) {
		before := at[p]
		delete(at, p)
		if r.local.listening(p) {
			c, err := r.network.shard(ctx, channel(p))
			if err != nil { // it is looked at again
				c = nil
			}
			if c != nil {
				at[p] = open(c)
			}
		}
		if before != nil && before != at[p] {
			before.put(p, false)
		}
		if at[p] != nil {
			at[p].put(p, true)
		}
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.changes.awaiting:
			for _, p := range r.changes.take() {
				place(p)
			}
		case <-tick.C:
			if !r.network.sharded() {
				continue
			}
			for _, p := range r.local.projects() {
				if c, err := r.network.shard(ctx, channel(p)); err == nil && (at[p] == nil || at[p].client != c) {
					place(p)
				}
			}
			for c, e := range ears {
				if e.idle() {
					e.stop()
					delete(ears, c)
				}
			}
		}
	}
}

// An ear listens to one Redis.
type ear struct {
	*Redis
	client  *redis.Client
	stop    context.CancelFunc
	changes changes

	mu   sync.Mutex
	mine map[hark.ID]bool // projects whose channels are here
}

// put notes whether a project's channel is here.
func (e *ear) put(p hark.ID, here bool) {
	e.mu.Lock()
	if here {
		e.mine[p] = true
	} else {
		delete(e.mine, p)
	}
	e.mu.Unlock()
	e.changes.add(p)
}

func (e *ear) idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.mine) == 0
}

// wants tells whether to listen to a project here.
func (e *ear) wants(p hark.ID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mine[p]
}

func (e *ear) projects() []hark.ID {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(e.mine))
}

// hear listens until ctx ends, over one connection after the other.
func (e *ear) hear(ctx context.Context) {
	down := outage{log: e.log, what: "listen to"}
	for n := 0; ctx.Err() == nil; n++ {
		err := e.session(ctx, func() { n = 0; down.end() })
		if ctx.Err() != nil {
			return
		}
		down.begin(err)
		e.network.look(ctx)
		pause(ctx, n)
	}
}

// session listens over one connection until it breaks; up is called when Redis
// answers.
func (e *ear) session(ctx context.Context, up func()) error {
	conn := e.client.Subscribe(ctx)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- e.ask(ctx, conn)
		_ = conn.Close() // ends the read below
	}()
	err := e.read(ctx, conn, up)
	cancel()
	// The connection broke on the side that failed first.
	if asked := <-ended; asked != nil && !errors.Is(asked, context.Canceled) {
		return asked
	}
	return err
}

// ask keeps the connection's channels the ones that somebody listens to, and
// the connection alive. It returns when ctx ends or a write fails.
func (e *ear) ask(ctx context.Context, conn *redis.PubSub) error {
	have := map[hark.ID]bool{}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	e.changes.add(e.projects()...)
	for {
		// The first one also makes a connection for which there is no channel yet.
		if err := conn.Ping(ctx); err != nil {
			return fmt.Errorf("ping: %w", err)
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-beat.C:
				waiting = false
			case <-e.changes.awaiting:
				if err := e.follow(ctx, conn, have); err != nil {
					return err
				}
			}
		}
	}
}

// follow subscribes to what somebody wants and unsubscribes from what nobody does.
func (e *ear) follow(ctx context.Context, conn *redis.PubSub, have map[hark.ID]bool) error {
	var more, less []string
	for _, project := range e.changes.take() {
		switch want := e.wants(project); {
		case want: // again for a second listener, which waits for the confirmation too
			more = append(more, channel(project))
			have[project] = true
		case have[project]:
			less = append(less, channel(project))
			delete(have, project)
		}
	}
	subscribe, unsubscribe, most := conn.Subscribe, conn.Unsubscribe, maxChannels
	if e.network.sharded() {
		subscribe, unsubscribe, most = conn.SSubscribe, conn.SUnsubscribe, 1 // those of one command must be of one slot
	}
	for part := range slices.Chunk(more, most) {
		if err := subscribe(ctx, part...); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	for part := range slices.Chunk(less, most) {
		if err := unsubscribe(ctx, part...); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
	}
	return nil
}

// read hands over what comes, until the connection breaks. It does not use
// PubSub.Channel, which drops messages behind a queue of its own.
func (e *ear) read(ctx context.Context, conn *redis.PubSub, up func()) error {
	for {
		m, err := conn.ReceiveTimeout(ctx, deaf)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		up()
		switch m := m.(type) {
		case *redis.Subscription:
			switch project := projectOf(m.Channel); {
			case m.Kind == "subscribe" || m.Kind == "ssubscribe":
				e.local.hand(project, nil)
			case m.Kind == "sunsubscribe" && e.wants(project): // the slot has moved
				return fmt.Errorf("the channel of project %s has moved", project)
			}
		case *redis.Message:
			e.receive(projectOf(m.Channel), m.Payload)
		}
	}
}

func (r *Redis) receive(project hark.ID, message string) {
	events, err := decode(r.node, project, message)
	switch {
	case err != nil:
		if !r.stranger.Swap(true) {
			r.log.Warn("a node announces events in a way that this one does not know: they are read from the database", "project", project, "err", err)
		}
		// What it announced is still there to be read.
		r.local.hand(project, nil)
	case len(events) > 0:
		r.received.Add(uint64(len(events)))
		r.local.hand(project, events)
	}
}
