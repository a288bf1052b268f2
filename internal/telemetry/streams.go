package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/stream"
)

// Hub tells of the events of a hub.
func (m *Metrics) Hub(h *stream.Hub) {
	m.gather("hark_stream_projects", "Projects that somebody listens to on this node.", func() float64 { return float64(h.Stats().Projects) })
	m.gather("hark_stream_readers", "Executions and plain streams that read events on this node.", func() float64 { return float64(h.Stats().Readers) })
	m.gather("hark_stream_ring_events", "Events in memory for streams.", func() float64 { return float64(h.Stats().RingEvents) })
	m.gather("hark_stream_holes_total", "Reads of events whose announcement did not come.", func() float64 { return float64(h.Stats().Holes) })
	m.gather("hark_stream_catch_ups_total", "Reads of events for streams that were behind.", func() float64 { return float64(h.Stats().CatchUps) })
}

// Groups tells of who shares executions. Sharing is sent over executed.
func (m *Metrics) Groups(g *stream.Groups) {
	m.gather("hark_stream_groups", "Executions of subscriptions, each shared by its members.", func() float64 { return float64(g.Stats().Groups) })
	m.gather("hark_stream_members", "Subscriptions that get the answers of a group.", func() float64 { return float64(g.Stats().Members) })
	m.gather("hark_stream_executed_total", "Events for which an operation was executed; groups whose operations differ in filters alone share that.", func() float64 { return float64(g.Stats().Executed) })
	m.gather("hark_stream_sent_total", "Answers to events given to members.", func() float64 { return float64(g.Stats().Sent) })
}

// Audience tells of open streams and of the limits that were met.
func (m *Metrics) Audience(stats func() (open int, met map[audience.Limit]uint64)) {
	m.gather("hark_streams_open", "Open streams: WebSockets, and requests that are answered by a stream.", func() float64 {
		open, _ := stats()
		return float64(open)
	})
	_, limits := stats()
	for l := range limits {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "hark_stream_limits_total", Help: "How often a limit of streams was met.", ConstLabels: prometheus.Labels{"limit": l.String()},
		}, func() float64 {
			_, met := stats()
			return float64(met[l])
		}))
	}
}

// gather has a value read when the metrics are: a counter if its name says so.
func (m *Metrics) gather(name, help string, value func() float64) {
	if strings.HasSuffix(name, "_total") {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}
