package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/pubsub"
)

// A publisher stores events. *events.Publisher is one.
type publisher interface {
	Publish(ctx context.Context, input []*hark.NewEvent) (events []*hark.Event, duplicates int, err error)
}

// TracedPublisher gives each publish a span, with one of its commit in it.
type TracedPublisher struct {
	Publisher publisher
	Traces    *Traces
}

// Publish stores events as the Publisher does.
func (p TracedPublisher) Publish(ctx context.Context, input []*hark.NewEvent) ([]*hark.Event, int, error) {
	ctx, span := p.Traces.tracer.Start(ctx, "publish", trace.WithAttributes(attribute.Int("hark.events", len(input))))
	if tp := traceparent(ctx); tp != "" {
		ctx = hark.WithTraceparent(ctx, tp)
	}
	stored, duplicates, err := p.Publisher.Publish(ctx, input)
	if err == nil && len(stored) > duplicates && span.IsRecording() {
		// From the moment in which its transaction gave the last event its place.
		_, commit := p.Traces.tracer.Start(ctx, "commit", trace.WithTimestamp(stored[len(stored)-1].PublishedAt.Time()))
		commit.End()
	}
	finish(span, err)
	return stored, duplicates, err
}

// An Observer is told of each attempt before it begins, and after it has ended.
type Observer func(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (context.Context, func(*hark.Attempt))

// Attempt gives an attempt its span, and the subscriber its traceparent; next
// is told of it too.
func (t *Traces) Attempt(next Observer) Observer {
	return func(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (context.Context, func(*hark.Attempt)) {
		ctx, ended := next(ctx, s, d)
		ctx, span := t.tracer.Start(t.under(ctx, d.Event), "callback "+string(s.Protocol), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("hark.event", d.Event.ID.String()), attribute.String("hark.subscription", s.ID.String()),
			attribute.String("hark.delivery", d.ID.String()), attribute.Int("hark.attempt", d.Attempt)))
		return delivery.WithTraceparent(ctx, traceparent(ctx)), func(a *hark.Attempt) {
			ended(a)
			if a != nil && a.Status != hark.Succeeded {
				finish(span, errors.New(a.Error))
				return
			}
			finish(span, nil)
		}
	}
}

// TracedBroker gives what streams are handed of an event a span.
type TracedBroker struct {
	pubsub.Broker
	Traces *Traces
	Lag    func(time.Duration) // is told how late each event is
}

// Subscribe implements pubsub.Broker.
func (b TracedBroker) Subscribe(project hark.ID, handle func([]*hark.Event)) (cancel func()) {
	return b.Broker.Subscribe(project, func(events []*hark.Event) {
		for _, e := range events {
			b.Lag(hark.Now().Sub(e.PublishedAt))
		}
		if b.Traces.provider == nil {
			handle(events)
			return
		}
		spans := make([]trace.Span, len(events))
		for i, e := range events {
			_, spans[i] = b.Traces.tracer.Start(b.Traces.under(context.Background(), e), "stream", trace.WithAttributes(
				attribute.String("hark.event", e.ID.String()), attribute.Int64("hark.sequence", e.Sequence)))
		}
		handle(events)
		for _, span := range spans {
			span.End()
		}
	})
}
