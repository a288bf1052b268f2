package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/hark-events/hark"
)

// attempt makes one attempt in a slot of l, from at on, and sees to its outcome.
func (w *Worker) attempt(ctx context.Context, l *line, s *hark.Subscription, d *hark.Delivery, at time.Time) {
	w.await(ctx, l, s, at)
	a := w.try(ctx, s, d)
	// The slot is free once the attempt has ended; but what comes next of an
	// ordered subscription is due only when this outcome is recorded, and after a
	// failure the circuit has to say whether something does.
	hold := s != nil && s.Ordered || a != nil && a.Error != ""
	w.ended(l, a, !hold)
	if a != nil {
		w.record(ctx, a)
	}
	w.recorded(l, a, hold)
}

// try makes the attempt. It returns nil when the attempt does not count: its
// lease ran out before it began, the queue could not say where to, or the end
// of the drain cut it.
func (w *Worker) try(ctx context.Context, s *hark.Subscription, d *hark.Delivery) *hark.Attempt {
	started := time.Now()
	if d.LeasedUntil != 0 && !started.Before(d.LeasedUntil.Time()) {
		w.log.WarnContext(ctx, "delivery.lease_over", "subscription", d.SubscriptionID, "delivery", d.ID)
		return nil
	}
	var r Receipt
	var err error
	if s == nil {
		s, err = w.subscription(ctx, d.SubscriptionID)
		if err != nil && !IsPermanent(err) {
			w.log.ErrorContext(ctx, "delivery.queue", "subscription", d.SubscriptionID, "delivery", d.ID, "err", err)
			if err := w.release(ctx, []*hark.Delivery{d}); err != nil {
				w.log.ErrorContext(ctx, "delivery.queue", "delivery", d.ID, "err", err) // its lease runs out
			}
			return nil
		}
	}
	a := &hark.Attempt{Delivery: d, StartedAt: hark.TimeOf(started.Truncate(time.Microsecond)), StatusCode: NoAnswer}
	var observe func(*hark.Attempt)
	var schedule []time.Duration
	var protocol hark.CallbackProtocol
	if s != nil {
		if w.conf.Observe != nil {
			ctx, observe = w.conf.Observe(ctx, s, d)
		}
		schedule, protocol = s.Schedule, s.Protocol
		r, err = w.deliver(ctx, s, d)
		a.StatusCode, a.ResponseBody = r.StatusCode, Text(redact(s, r.ResponseBody), MaxResponseBody)
	}
	if err != nil && context.Cause(ctx) == errDrained {
		w.mu.Lock()
		w.back = append(w.back, d)
		w.mu.Unlock()
		if observe != nil {
			observe(nil)
		}
		return nil
	}
	a.Duration = time.Since(started)
	Decide(a, schedule, r, err)
	if s != nil {
		a.Error = redact(s, a.Error)
	}
	if observe != nil {
		observe(a)
	}
	w.tell(ctx, a, protocol)
	return a
}

// deliver calls the driver. A panic in it is a failed attempt, and so are
// secrets that can't be opened: the circuit keeps those few.
func (w *Worker) deliver(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (r Receipt, err error) {
	if s.Lost != "" {
		return Receipt{StatusCode: NoAnswer}, errors.New(s.Lost)
	}
	driver, err := w.drivers.For(s.Protocol)
	if err != nil {
		return Receipt{StatusCode: NoAnswer}, err
	}
	ctx, cancel := context.WithTimeout(ctx, bounded(s.Timeout))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			w.log.ErrorContext(ctx, "delivery.panic", "subscription", s.ID, "delivery", d.ID,
				"err", redact(s, fmt.Sprint(p)), "stack", string(debug.Stack()))
			r, err = Receipt{StatusCode: NoAnswer}, errors.New("hark's driver failed; its log says more")
		}
	}()
	return driver.Deliver(ctx, s, d)
}

// tell writes the line of the attempt.
func (w *Worker) tell(ctx context.Context, a *hark.Attempt, protocol hark.CallbackProtocol) {
	level := slog.LevelInfo
	if a.Status == hark.Failed {
		level = slog.LevelWarn
	}
	if !w.log.Enabled(ctx, level) {
		return
	}
	d := a.Delivery
	attrs := append(make([]slog.Attr, 0, 12),
		slog.String("subscription", d.SubscriptionID.String()),
		slog.String("delivery", d.ID.String()),
		slog.Int("attempt", d.Attempt),
		slog.String("protocol", string(protocol)),
		slog.Int("status", a.StatusCode),
		slog.Duration("duration", a.Duration),
		slog.String("decision", string(a.Status)))
	if d.Event != nil {
		attrs = append(attrs, slog.String("project", d.Event.ProjectID.String()), slog.String("event", d.Event.ID.String()))
	}
	if a.Error != "" {
		attrs = append(attrs, slog.String("err", a.Error))
	}
	if a.Status == hark.Pending {
		attrs = append(attrs, slog.Time("next", a.NextAt.Time()))
	}
	if a.Disable {
		attrs = append(attrs, slog.Bool("disable", true))
	}
	w.log.LogAttrs(ctx, level, "delivery.attempted", attrs...)
}
