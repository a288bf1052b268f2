// Package telemetry counts what hark does, for Prometheus.
package telemetry

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/events"
)

// Metrics holds what is counted. docs/OPERATIONS.md lists it.
type Metrics struct {
	registry *prometheus.Registry

	commits    *prometheus.HistogramVec
	batch      prometheus.Histogram
	events     prometheus.Counter
	deliveries prometheus.Counter
	attempts   *prometheus.HistogramVec
	inFlight   prometheus.Gauge
	limited    *prometheus.CounterVec
	dead       *prometheus.CounterVec
	lag        prometheus.Histogram
}

// New makes Metrics with those of Go and the process.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		commits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hark_publish_commit_seconds", Help: "Time of one group commit of publishes, by outcome.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"outcome"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hark_publish_commit_events", Help: "Events in one group commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hark_events_published_total", Help: "Events committed by this node.",
		}),
		deliveries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hark_deliveries_created_total", Help: "Deliveries committed by this node with their events.",
		}),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hark_delivery_attempt_seconds", Help: "Time of one attempt at a delivery, by protocol and decision.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"protocol", "decision"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hark_delivery_attempts_in_flight", Help: "Attempts under way on this node.",
		}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hark_rate_limited_total", Help: "Requests refused because an identity or an address makes too many, by kind.",
		}, []string{"kind"}),
	}
	m.dead = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hark_deliveries_dead_total", Help: "Deliveries that became dead letters by an attempt of this node, by protocol.",
	}, []string{"protocol"})
	m.lag = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "hark_stream_lag_seconds", Help: "From an event's publishing to its arrival at the streams of this node, by announcement.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
	})
	m.registry.MustRegister(m.dead, m.lag)
	for _, kind := range []string{"identity", "address", "login"} {
		m.limited.WithLabelValues(kind) // there from the start, at 0
	}
	m.registry.MustRegister(m.commits, m.batch, m.events, m.deliveries, m.attempts, m.inFlight, m.limited,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Limited counts a request that was refused by the limit of a kind.
func (m *Metrics) Limited(kind string) { m.limited.WithLabelValues(kind).Inc() }

// Lag counts how late an event came to the streams of this node.
func (m *Metrics) Lag(d time.Duration) { m.lag.Observe(d.Seconds()) }

// Redis tells whether Redis answers.
func (m *Metrics) Redis(ping func(context.Context) error) {
	m.gather("hark_redis_up", "1 while Redis answers, else 0; absent without Redis.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if ping(ctx) != nil {
			return 0
		}
		return 1
	})
}

// Commit counts one group commit.
func (m *Metrics) Commit(c events.Commit) {
	outcome := "committed"
	if c.Err != nil {
		outcome = "failed"
	}
	m.commits.WithLabelValues(outcome).Observe(c.Duration.Seconds())
	if c.Err == nil {
		m.batch.Observe(float64(c.Events))
		m.events.Add(float64(c.Events))
		m.deliveries.Add(float64(c.Deliveries))
	}
}

// Attempt counts an attempt from its start until the func that it returns is called.
func (m *Metrics) Attempt(ctx context.Context, s *hark.Subscription, _ *hark.Delivery) (context.Context, func(*hark.Attempt)) {
	m.inFlight.Inc()
	start := time.Now()
	return ctx, func(a *hark.Attempt) {
		m.inFlight.Dec()
		decision := "cut"
		if a != nil {
			decision = strings.ToLower(string(a.Status))
			if a.Status == hark.Failed {
				m.dead.WithLabelValues(string(s.Protocol)).Inc()
			}
		}
		m.attempts.WithLabelValues(string(s.Protocol), decision).Observe(time.Since(start).Seconds())
	}
}
