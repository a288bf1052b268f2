package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

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
	m.gather("hark_stream_executed_total", "Events for which a group has executed its operation.", func() float64 { return float64(g.Stats().Executed) })
	m.gather("hark_stream_sent_total", "Answers to events given to members.", func() float64 { return float64(g.Stats().Sent) })
}

// gather has a value read when the metrics are: a counter if its name says so.
func (m *Metrics) gather(name, help string, value func() float64) {
	if strings.HasSuffix(name, "_total") {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}
