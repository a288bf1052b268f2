package soak

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

const (
	// batch is how many events are published at once.
	batch = 10
	// side is how many publishers there are.
	side = 4
	// ahead is how many events may wait for their deliveries while the top rate
	// is measured: hark must be busy, not buried.
	ahead = 500
)

// publishers publish, and keep what was acknowledged to them.
type publishers struct {
	client testkit.Client
	end    context.CancelFunc
	group  sync.WaitGroup

	mu           sync.Mutex
	acknowledged map[int64]struct{} // sequences
	refused      int                // calls
}

// publish publishes one batch. While hark is down or going down, that fails.
func (p *publishers) publish(ctx context.Context, t *testing.T) bool {
	inputs := make([]testkit.Vars, batch)
	for i := range inputs {
		inputs[i] = testkit.Vars{
			"sourceService": "secret-manager", "resourceType": "secret", "operationType": "update",
			"environment": "staging", "path": "/", "payload": []testkit.Vars{{"secretKey": "DATABASE_URL"}},
		}
	}
	var data struct {
		PublishEvents struct{ Events []struct{ Sequence int64 } }
	}
	err := p.client.Call(ctx, `mutation($input: [PublishEventInput!]!) { publishEvents(input: $input) { events { sequence } } }`,
		testkit.Vars{"input": inputs}, &data)
	if e, ok := errors.AsType[*testkit.GraphQLError](err); ok && e.Extensions.Code != "INTERNAL" {
		t.Error(err) // a hark that goes down says nothing else
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.refused++
		return false
	}
	for _, e := range data.PublishEvents.Events {
		p.acknowledged[e.Sequence] = struct{}{}
	}
	return true
}

// start has events published at a rate, in events a second, until stop.
func (p *publishers) start(t *testing.T, rate float64) {
	ctx, cancel := context.WithCancel(t.Context())
	p.end = cancel
	t.Cleanup(p.stop)
	for range side {
		p.group.Go(func() {
			tick := time.NewTicker(time.Duration(float64(side*batch) / rate * float64(time.Second)))
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					p.publish(context.WithoutCancel(ctx), t) // cut off, nobody would know whether it was accepted
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// stop ends the publishers, each after its answer.
func (p *publishers) stop() {
	p.end()
	p.group.Wait()
}

// top measures for d how many events a second reach all subscribers.
func (p *publishers) top(t *testing.T, d time.Duration, all []*subscriber) float64 {
	t.Helper()
	start, published := time.Now(), 0
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		arrived := 0
		for _, s := range all {
			arrived += int(s.total.Load())
		}
		arrived /= len(all)
		switch elapsed := time.Since(start); {
		case elapsed > d:
			return float64(arrived) / elapsed.Seconds()
		case published-arrived >= ahead:
			<-tick.C
		case p.publish(t.Context(), t):
			published += batch
		default:
			t.Fatal("a hark that nobody restarts refused an event")
		}
	}
}
