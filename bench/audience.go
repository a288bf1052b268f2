package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// latency measures publish to subscriber of an idle server.
func latency(ctx context.Context, b *bench) (r result, err error) {
	err = onFan(ctx, b, few, func(a *audience, publish func(context.Context) error) error {
		took, err := a.pace(ctx, b.length/2, publish)
		r.limits = []limit{{"raw fan-out, ms p99", milliseconds(took.quantile(.99))}}
		return err
	})
	if err != nil {
		return r, err
	}
	return r, onHark(ctx, b, few, everything, func(s *server, a *audience, publish func(context.Context) error) error {
		before := readUsage(s.pid)
		took, err := a.pace(ctx, b.length, publish)
		r.value, r.noise = milliseconds(took.quantile(.99)), readUsage(s.pid).noise(before)
		r.detail = took.String()
		return err
	})
}

// saturated measures how many messages a second reach many subscribers.
func saturated(ctx context.Context, b *bench) (r result, err error) {
	err = onFan(ctx, b, many, func(a *audience, publish func(context.Context) error) error {
		rate, err := a.saturate(ctx, b.length/2, publish)
		r.limits = []limit{{"raw fan-out, messages/s", rate}}
		return err
	})
	if err != nil {
		return r, err
	}
	return r, onHark(ctx, b, many, everything, func(s *server, a *audience, publish func(context.Context) error) error {
		before, busy := readUsage(s.pid), cpuTime(s.pid)
		rate, err := a.saturate(ctx, b.length, publish)
		after := readUsage(s.pid)
		r.value, r.noise = rate, after.noise(before)
		r.detail = after.spent(before, cpuTime(s.pid)-busy, rate)
		return err
	})
}

// memory measures what a subscriber costs that hears nothing.
func memory(ctx context.Context, b *bench) (r result, err error) {
	var none int64
	err = onHark(ctx, b, 1, everything, func(s *server, _ *audience, _ func(context.Context) error) error {
		none = resident(s.pid)
		return nil
	})
	if err != nil {
		return r, err
	}
	return r, onHark(ctx, b, many, everything, func(s *server, _ *audience, _ func(context.Context) error) error {
		before := readUsage(s.pid)
		time.Sleep(b.length / 2)
		r.value, r.noise = float64(resident(s.pid)-none)/many/1024, readUsage(s.pid).noise(before)
		return nil
	})
}

// crowded is as many subscribers as a node is asked to bear.
const crowded = 10_000

// grouped measures how many messages a second reach 1,000 groups of 10, against
// one group of as many.
func grouped(ctx context.Context, b *bench) (r result, err error) {
	rate := func(arguments func(int) string) (rate float64, err error) {
		return rate, onHark(ctx, b, crowded, arguments, func(s *server, a *audience, publish func(context.Context) error) error {
			before, busy := readUsage(s.pid), cpuTime(s.pid)
			rate, err = a.saturate(ctx, b.length, publish)
			after := readUsage(s.pid)
			r.noise = after.noise(before)
			r.detail = after.spent(before, cpuTime(s.pid)-busy, rate)
			return err
		})
	}
	one, err := rate(everything)
	if err != nil {
		return r, err
	}
	r.limits = []limit{{"one group of 10,000, messages/s", one}}
	r.value, err = rate(func(i int) string {
		return fmt.Sprintf(`filter:{register:[{event:"secret:update"},{event:"secret:delete",conditions:{environmentSlug:"e%d"}}]}`, i%(crowded/10))
	})
	return r, err
}

// behind is how many events each subscriber has missed that comes back.
const behind = 1000

// resume measures how long 10,000 subscribers take to come back and hear what
// they have missed.
func resume(ctx context.Context, b *bench) (r result, err error) {
	s, err := b.start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	var first struct {
		PublishEvents struct{ Events []struct{ Cursor string } }
	}
	if err := s.do(ctx, "mutation($input:[PublishEventInput!]!){publishEvents(input:$input){events{cursor}}}",
		map[string]any{"input": publishInput(1)}, &first); err != nil {
		return r, err
	}
	p := newPoster(s.url(), 1)
	defer p.close()
	for range behind / 100 {
		if err := p.post(ctx, publishBody(100)); err != nil {
			return r, err
		}
	}
	arguments := fmt.Sprintf("filter:{},after:%q", first.PublishEvents.Events[0].Cursor)
	before, busy, start := readUsage(s.pid), cpuTime(s.pid), time.Now()
	a, err := listen(ctx, s.addr, crowded, func(k *socket, _ int) error { return k.subscribeTo(s.addr, arguments) })
	if err != nil {
		return r, err
	}
	defer a.close()
	connected := time.Since(start)
	if err := a.hear(ctx, crowded*behind); err != nil {
		return r, err
	}
	after := readUsage(s.pid)
	r.value, r.noise = time.Since(start).Seconds(), after.noise(before)
	r.detail = fmt.Sprintf("all had come back after %.1f s; hark used %.1f s of processor time", connected.Seconds(), (cpuTime(s.pid) - busy).Seconds())
	return r, nil
}
