package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	subscribe = "mutation($input:CreateEventSubscriptionInput!){createEventSubscription(input:$input){eventSubscription{id}}}"
	kinds     = `{eventDefinitions(filter:{sourceService:"secret-manager",resourceType:"secret",operationType:"update"}){nodes{id}}}`
	settled   = "query($id:UUID!){eventSubscription(id:$id){stats{succeeded failed}}}"

	// webhookBatch is how many events a publisher sends at once, and
	// webhookAhead how many may wait for their delivery: hark must be busy, not
	// buried.
	webhookBatch = 50
	webhookAhead = 1000
)

// webhooks measures events from their publish to a subscriber's answer, signed
// and with the attempt on record, in a steady state.
func webhooks(ctx context.Context, b *bench) (r result, err error) {
	c, err := startChild(ctx, "sink")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	bare, err := barePosts(ctx, connections, b.length/2, publishBody(1))
	if err != nil {
		return r, err
	}
	cycles, err := bareInserts(ctx, b, 100, true)
	if err != nil {
		return r, err
	}
	r.limits = []limit{{"net/http POSTs to a sink, requests/s", bare}, {"SQLite event, delivery and attempt, 100 a commit, cycles/s", cycles}}

	s, err := b.start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	w := &webhookLoad{server: s, sink: c}
	if w.subscription, err = s.subscribe(ctx, "http://"+c.addr+"/hook"); err != nil {
		return r, err
	}
	if _, err := w.run(ctx, warmUp); err != nil {
		return r, err
	}
	before, busy := readUsage(s.pid, c.pid), cpuTime(s.pid)
	if r.value, err = w.run(ctx, b.length); err != nil {
		return r, err
	}
	after := readUsage(s.pid, c.pid)
	r.noise = after.noise(before)
	r.detail = after.spent(before, cpuTime(s.pid)-busy, r.value)
	return r, w.settle(ctx)
}

// subscribe orders every secret:update to be sent to endpoint, with the default settings.
func (s *server) subscribe(ctx context.Context, endpoint string) (id string, err error) {
	var found struct {
		EventDefinitions struct{ Nodes []struct{ ID string } }
	}
	if err := s.do(ctx, kinds, nil, &found); err != nil {
		return "", err
	}
	if len(found.EventDefinitions.Nodes) != 1 {
		return "", errors.New("secret:update is not defined once")
	}
	var created struct {
		CreateEventSubscription struct{ EventSubscription struct{ ID string } }
	}
	err = s.do(ctx, subscribe, map[string]any{"input": map[string]any{
		"eventDefinitionIds": []string{found.EventDefinitions.Nodes[0].ID}, "subscriberService": "bench", "deliveryEndpoint": endpoint,
		"auth": map[string]any{"apiKey": map[string]any{"headerName": "X-Api-Key", "key": "bench-key"}},
	}}, &created)
	return created.CreateEventSubscription.EventSubscription.ID, err
}

// webhookLoad publishes as fast as webhooks arrive.
type webhookLoad struct {
	server       *server
	sink         *child
	subscription string // its id
	published    int64
}

// run goes on for d, and gives deliveries per second at the subscriber.
func (w *webhookLoad) run(ctx context.Context, d time.Duration) (rate float64, err error) {
	p := newPoster(w.server.url(), 1)
	defer p.close()
	body := publishBody(webhookBatch)
	start := time.Now()
	first, err := w.sink.posts(ctx)
	if err != nil {
		return 0, err
	}
	for got := first; ; {
		if time.Since(start) > d {
			return float64(got-first) / time.Since(start).Seconds(), nil
		}
		if w.published-got < webhookAhead {
			if err := p.post(ctx, body); err != nil {
				return 0, err
			}
			w.published += webhookBatch
		} else {
			time.Sleep(time.Millisecond)
		}
		if got, err = w.sink.posts(ctx); err != nil {
			return 0, err
		}
	}
}

// settle waits until every delivery is on record as a success.
func (w *webhookLoad) settle(ctx context.Context) error {
	var found struct {
		EventSubscription struct {
			Stats struct{ Succeeded, Failed int64 }
		}
	}
	stats := &found.EventSubscription.Stats
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err := w.server.do(ctx, settled, map[string]any{"id": w.subscription}, &found); err != nil {
			return err
		}
		if stats.Succeeded == w.published {
			return nil
		}
	}
	return fmt.Errorf("of %d deliveries %d are on record as a success, and %d failures", w.published, stats.Succeeded, stats.Failed)
}
