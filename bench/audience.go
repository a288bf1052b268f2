package main

import (
	"context"
	"time"
)

// latency measures publish to subscriber of an idle server.
func latency(ctx context.Context, b *bench) (r result, err error) {
	err = onFan(ctx, few, func(a *audience, publish func(context.Context) error) error {
		took, err := a.pace(ctx, b.length/2, publish)
		r.limits = []limit{{"raw fan-out, ms p99", milliseconds(took.quantile(.99))}}
		return err
	})
	if err != nil {
		return r, err
	}
	return r, onHark(ctx, b, few, func(s *server, a *audience, publish func(context.Context) error) error {
		before := readUsage(s.pid)
		took, err := a.pace(ctx, b.length, publish)
		r.value, r.noise = milliseconds(took.quantile(.99)), readUsage(s.pid).noise(before)
		r.detail = took.String()
		return err
	})
}

// saturated measures how many messages a second reach many subscribers.
func saturated(ctx context.Context, b *bench) (r result, err error) {
	err = onFan(ctx, many, func(a *audience, publish func(context.Context) error) error {
		rate, err := a.saturate(ctx, b.length/2, publish)
		r.limits = []limit{{"raw fan-out, messages/s", rate}}
		return err
	})
	if err != nil {
		return r, err
	}
	return r, onHark(ctx, b, many, func(s *server, a *audience, publish func(context.Context) error) error {
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
	err = onHark(ctx, b, 1, func(s *server, _ *audience, _ func(context.Context) error) error {
		none = resident(s.pid)
		return nil
	})
	if err != nil {
		return r, err
	}
	return r, onHark(ctx, b, many, func(s *server, _ *audience, _ func(context.Context) error) error {
		before := readUsage(s.pid)
		time.Sleep(b.length / 2)
		r.value, r.noise = float64(resident(s.pid)-none)/many/1024, readUsage(s.pid).noise(before)
		return nil
	})
}
