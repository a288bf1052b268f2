package pubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hark-events/hark"
)

const (
	heartbeat   = 2 * time.Second // between pings of the listening connection
	deaf        = 5 * time.Second // without a word, not even a pong: the connection is dead
	maxChannels = 1000            // in one SUBSCRIBE
)

// hear listens until ctx ends, over one connection after the other.
func (r *Redis) hear(ctx context.Context) {
	down := outage{log: r.log, what: "listen to"}
	for n := 0; ctx.Err() == nil; n++ {
		err := r.session(ctx, func() { n = 0; down.end() })
		if ctx.Err() != nil {
			return
		}
		down.begin(err)
		pause(ctx, n)
	}
}

// session listens over one connection until it breaks; up is called when Redis
// answers.
func (r *Redis) session(ctx context.Context, up func()) error {
	conn := r.client.Subscribe(ctx)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- r.ask(ctx, conn)
		_ = conn.Close() // ends the read below
	}()
	err := r.read(ctx, conn, up)
	cancel()
	// The connection broke on the side that failed first.
	if asked := <-ended; asked != nil && !errors.Is(asked, context.Canceled) {
		return asked
	}
	return err
}

// ask keeps the connection's channels the ones that somebody listens to, and
// the connection alive. It returns when ctx ends or a write fails.
func (r *Redis) ask(ctx context.Context, conn *redis.PubSub) error {
	have := map[hark.ID]bool{}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	r.change(r.local.projects()...)
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
			case <-r.awaiting:
				if err := r.follow(ctx, conn, have); err != nil {
					return err
				}
			}
		}
	}
}

// follow subscribes to what somebody wants and unsubscribes from what nobody does.
func (r *Redis) follow(ctx context.Context, conn *redis.PubSub, have map[hark.ID]bool) error {
	r.mu.Lock()
	changed := r.changed
	r.changed = map[hark.ID]struct{}{}
	r.mu.Unlock()

	var more, less []string
	for project := range changed {
		switch want := r.local.listening(project); {
		case want: // again for a second listener, which waits for the confirmation too
			more = append(more, channel(project))
			have[project] = true
		case !want && have[project]:
			less = append(less, channel(project))
			delete(have, project)
		}
	}
	for part := range slices.Chunk(more, maxChannels) {
		if err := conn.Subscribe(ctx, part...); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	for part := range slices.Chunk(less, maxChannels) {
		if err := conn.Unsubscribe(ctx, part...); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
	}
	return nil
}

// change notes that projects may have gained or lost their listeners.
func (r *Redis) change(projects ...hark.ID) {
	r.mu.Lock()
	for _, p := range projects {
		r.changed[p] = struct{}{}
	}
	r.mu.Unlock()
	select {
	case r.awaiting <- struct{}{}:
	default:
	}
}

// read hands over what comes, until the connection breaks. It does not use
// PubSub.Channel, which drops messages behind a queue of its own.
func (r *Redis) read(ctx context.Context, conn *redis.PubSub, up func()) error {
	for {
		m, err := conn.ReceiveTimeout(ctx, deaf)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		up()
		switch m := m.(type) {
		case *redis.Subscription:
			if m.Kind == "subscribe" {
				r.local.hand(projectOf(m.Channel), nil)
			}
		case *redis.Message:
			r.receive(projectOf(m.Channel), m.Payload)
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
