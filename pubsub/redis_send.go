package pubsub

import (
	"context"
	"fmt"
	"time"

	"github.com/hark-events/hark"
)

const (
	maxMessage  = 1 << 20     // bytes of a message; one event is always smaller
	maxPipeline = 4 << 20     // bytes sent at once
	farewell    = time.Second // that Close gives to what still waits
)

// send publishes what is in the outbox until ctx ends, then what is left.
func (r *Redis) send(ctx context.Context) {
	down := outage{log: r.log, what: "publish to"}
	for {
		select {
		case <-r.out.filled:
			r.empty(ctx, &down)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			for batch := r.out.take(maxPipeline); batch != nil; batch = r.out.take(maxPipeline) {
				if r.publish(last, batch) != nil {
					return
				}
			}
			return
		}
	}
}

// empty publishes until the outbox is empty. What Redis did not take is tried
// again: it may arrive twice, never behind what follows it. But not on a
// cluster, where the other shards must not wait for the one that is away.
func (r *Redis) empty(ctx context.Context, down *outage) {
	for batch := r.out.take(maxPipeline); batch != nil; batch = r.out.take(maxPipeline) {
		for n := 0; ; n++ {
			err := r.publish(ctx, batch)
			if err == nil {
				down.end()
				break
			}
			if ctx.Err() != nil {
				return
			}
			if down.begin(err); r.network.sharded() {
				break
			}
			pause(ctx, n)
		}
	}
}

func (r *Redis) publish(ctx context.Context, batch []announcement) error {
	pipe := r.network.commands().Pipeline()
	var counts []int // of events, by command
	for project, part := range messages(batch) {
		if r.network.sharded() {
			pipe.SPublish(ctx, channel(project), encode(r.node, part))
		} else {
			pipe.Publish(ctx, channel(project), encode(r.node, part))
		}
		counts = append(counts, len(part))
	}
	done, err := pipe.Exec(ctx)
	if err != nil && !r.network.sharded() {
		return fmt.Errorf("publish: %w", err)
	}
	for i, command := range done {
		if command.Err() == nil {
			r.sent.Add(uint64(counts[i]))
		} else {
			r.out.drop(counts[i])
		}
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// messages cuts announcements into messages of at most maxMessage bytes, and
// joins neighbours of one project.
func messages(batch []announcement) func(yield func(hark.ID, []*hark.Event) bool) {
	return func(yield func(hark.ID, []*hark.Event) bool) {
		var part []*hark.Event
		size := wireHeader
		for i, a := range batch {
			for _, e := range a.events {
				if n := wireSize(e); len(part) > 0 && size+n > maxMessage {
					if !yield(a.project, part) {
						return
					}
					part, size = nil, wireHeader
				}
				part = append(part, e)
				size += wireSize(e)
			}
			if i+1 == len(batch) || batch[i+1].project != a.project {
				if !yield(a.project, part) {
					return
				}
				part, size = nil, wireHeader
			}
		}
	}
}
