package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/eventsubscription"
)

// The database is asked for its state once in so long, however often metrics
// are read, and with so much patience.
const (
	stateEvery   = 15 * time.Second
	statePatient = 5 * time.Second
)

// State collects what the database says of all nodes: subscriptions by state,
// deliveries that wait, and for how long the oldest one has been due.
type State struct {
	client *ent.Client
	log    *slog.Logger

	subscriptions, waiting, age *prometheus.Desc

	mu      sync.Mutex
	looked  time.Time
	metrics []prometheus.Metric
}

// State has the database's state read with the metrics.
func (m *Metrics) State(client *ent.Client, log *slog.Logger) {
	m.registry.MustRegister(&State{
		client: client, log: log,
		subscriptions: prometheus.NewDesc("hark_subscriptions", "Subscriptions by state, over all nodes.", []string{"state"}, nil),
		waiting:       prometheus.NewDesc("hark_deliveries_waiting", "Deliveries that wait, by status, over all nodes.", []string{"status"}, nil),
		age:           prometheus.NewDesc("hark_delivery_queue_age_seconds", "For how long the oldest pending delivery has been due, over all nodes.", nil, nil),
	})
}

// Describe implements prometheus.Collector.
func (s *State) Describe(descs chan<- *prometheus.Desc) {
	descs <- s.subscriptions
	descs <- s.waiting
	descs <- s.age
}

// Collect implements prometheus.Collector.
func (s *State) Collect(metrics chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looked.IsZero() || time.Since(s.looked) > stateEvery {
		s.looked = time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), statePatient)
		defer cancel()
		var err error
		if s.metrics, err = s.look(ctx); err != nil {
			s.log.Warn("metrics: the database does not tell its state", "err", err)
		}
	}
	for _, m := range s.metrics {
		metrics <- m
	}
}

func (s *State) look(ctx context.Context) ([]prometheus.Metric, error) {
	var out []prometheus.Metric
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out = append(out, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
	}
	query := s.client.EventSubscription.Query
	for state, q := range map[string]*ent.EventSubscriptionQuery{
		"active":   query().Where(eventsubscription.Active(true), eventsubscription.OpenedAt(0)),
		"open":     query().Where(eventsubscription.Active(true), eventsubscription.OpenedAtGT(0)),
		"paused":   query().Where(eventsubscription.Active(false), eventsubscription.DisabledAt(0)),
		"disabled": query().Where(eventsubscription.DisabledAtGT(0)),
	} {
		n, err := q.Count(ctx)
		if err != nil {
			return nil, err
		}
		gauge(s.subscriptions, float64(n), state)
	}
	var rows []struct {
		Status hark.DeliveryStatus
		Count  int
		Due    hark.Time
	}
	err := s.client.Delivery.Query().Where(delivery.StatusIn(hark.Pending, hark.Held)). // as the queue's index has them
												GroupBy(delivery.FieldStatus).Aggregate(ent.Count(), ent.As(ent.Min(delivery.FieldNextAttemptAt), "due")).Scan(ctx, &rows)
	if err != nil {
		return nil, err
	}
	var pending, held int
	var age time.Duration
	for _, r := range rows {
		if r.Status == hark.Held {
			held = r.Count
			continue
		}
		pending, age = r.Count, max(0, hark.Now().Sub(r.Due))
	}
	gauge(s.waiting, float64(pending), "pending")
	gauge(s.waiting, float64(held), "held")
	gauge(s.age, age.Seconds())
	return out, nil
}
