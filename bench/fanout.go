package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	few  = 100  // subscribers of an idle server
	many = 1000 // subscribers of a busy one

	// idlePause is between two events of an idle server, and window how many
	// are under way in a busy one.
	idlePause = 50 * time.Millisecond
	window    = 4
)

// An audience is subscribers that listen.
type audience struct {
	sockets  []*socket
	received atomic.Int64
	reading  sync.WaitGroup
}

// dialling is how many subscribers connect at a time.
const dialling = 16

// listen opens n subscribers, each greeted by join with its number. Each reads
// from then on.
func listen(ctx context.Context, addr string, n int, join func(s *socket, i int) error) (*audience, error) {
	a := &audience{sockets: make([]*socket, n)}
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(dialling)
	for i := range n {
		all.Go(func() error {
			s, err := newSocket(ctx, addr, &a.received)
			if err == nil {
				a.sockets[i] = s
				err = join(s, i)
			}
			if err != nil {
				return fmt.Errorf("subscriber %d of %d: %w", i, n, err)
			}
			a.reading.Go(s.run)
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// close ends all subscribers and gives how long every message was under way.
func (a *audience) close() (took latencies) {
	for _, s := range a.sockets {
		if s != nil {
			_ = s.Close() // nobody is left to tell
		}
	}
	a.reading.Wait()
	for _, s := range a.sockets {
		if s != nil {
			took = append(took, s.took...)
		}
	}
	return took
}

// hear waits until n messages have come.
func (a *audience) hear(ctx context.Context, n int64) error {
	for deadline := time.Now().Add(20 * time.Second); a.received.Load() < n; time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("of %d messages only %d came", n, a.received.Load())
		}
	}
	return nil
}

// pace publishes one event in every idlePause for d, and hears all of them.
func (a *audience) pace(ctx context.Context, d time.Duration, publish func(context.Context) error) (latencies, error) {
	var published int64
	for start := time.Now(); time.Since(start) < d; time.Sleep(idlePause) {
		if err := publish(ctx); err != nil {
			return nil, errors.Join(err, a.hear(ctx, 0))
		}
		published++
	}
	err := a.hear(ctx, published*int64(len(a.sockets)))
	return a.close(), err
}

// saturate publishes for d as fast as the window allows, and gives messages per second.
func (a *audience) saturate(ctx context.Context, d time.Duration, publish func(context.Context) error) (float64, error) {
	n := int64(len(a.sockets))
	first, start := a.received.Load(), time.Now()
	for published := first / n; time.Since(start) < d; published++ {
		if err := publish(ctx); err != nil {
			return 0, err
		}
		if err := a.hear(ctx, (published+1-window)*n); err != nil {
			return 0, err
		}
	}
	return float64(a.received.Load()-first) / time.Since(start).Seconds(), nil
}

// onFan calls f with an audience of n at a fan.
func onFan(ctx context.Context, b *bench, n int, f func(*audience, func(context.Context) error) error) (err error) {
	c, err := startChild(ctx, b.core, "fan")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	a, err := listen(ctx, c.addr, n, func(s *socket, _ int) error { _, err := s.Write([]byte{isSubscriber}); return err })
	if err != nil {
		return err
	}
	defer a.close()
	p, err := newFanPublisher(ctx, c.addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	time.Sleep(100 * time.Millisecond) // until the fan has taken them all in
	return f(a, p.publish)
}

// everything is what an audience asks for that wants all there is.
func everything(int) string { return "filter:{}" }

// onHark calls f with an audience of n at a new hark, each of which asks for
// the events of its arguments.
func onHark(ctx context.Context, b *bench, n int, arguments func(i int) string, f func(*server, *audience, func(context.Context) error) error) (err error) {
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	a, err := listen(ctx, s.addr, n, func(k *socket, i int) error { return k.subscribeTo(s.addr, arguments(i)) })
	if err != nil {
		return err
	}
	defer a.close()
	time.Sleep(500 * time.Millisecond) // until every subscription runs
	p := newPoster(s.url(), 1)
	defer p.close()
	body := publishBody(1)
	return f(s, a, func(ctx context.Context) error { return p.post(ctx, stamped(body)) })
}
