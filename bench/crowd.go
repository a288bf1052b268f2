package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

const (
	fewSubscriptions  = 10
	manySubscriptions = 10_000
)

// crowd measures what 10,000 subscriptions to other events cost a publisher,
// against 10, and what each costs in memory while it is idle.
func crowd(ctx context.Context, b *bench) (r result, err error) {
	s, err := b.start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	before := readUsage(s.pid)
	p := newPoster(s.url(), connections)
	defer p.close()
	body := publishBody(1)
	cost := func() (float64, error) { // of an event, in CPU time: others are at work too
		same := func() []byte { return body }
		if _, _, err := p.load(ctx, connections, warmUp, same); err != nil {
			return 0, err
		}
		busy := cpuTime(s.pid)
		rate, _, err := p.load(ctx, connections, b.length, same)
		return (cpuTime(s.pid) - busy).Seconds() * 1e6 / (rate * b.length.Seconds()), err
	}
	if err := s.subscribeOthers(ctx, 0, fewSubscriptions); err != nil {
		return r, err
	}
	few, err := cost()
	if err != nil {
		return r, err
	}
	small := resident(s.pid)
	if err := s.subscribeOthers(ctx, fewSubscriptions, manySubscriptions); err != nil {
		return r, err
	}
	large := resident(s.pid)
	many, err := cost()
	if err != nil {
		return r, err
	}
	r.value, r.noise = many/few, readUsage(s.pid).noise(before)
	r.detail = fmt.Sprintf("%.0f µs of hark each against %.0f; %.2f KiB for each subscription",
		many, few, float64(large-small)/1024/(manySubscriptions-fewSubscriptions))
	return r, nil
}

// subscribeOthers orders what nobody publishes, for the subscribers from one
// number up to another.
func (s *server) subscribeOthers(ctx context.Context, from, to int) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(connections)
	for i := from; i < to; i++ {
		all.Go(func() error {
			_, err := s.subscribe(ctx, byHTTP(), fmt.Sprintf("http://127.0.0.1:9/%d", i), "delete")
			return err
		})
	}
	return all.Wait()
}
