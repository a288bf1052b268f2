package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// A measurement is one row of the table.
type measurement struct {
	name   string
	unit   string
	target string
	run    func(context.Context, *bench) (result, error) // once: first the limits, then hark
}

// A result is what one run of a measurement found.
type result struct {
	value  float64
	limits []limit
	noise  float64 // cores that others used meanwhile
	detail string
}

// A limit is what the machine allows at most of one part of the work.
type limit struct {
	name  string
	value float64
}

func (r result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.4g, noise %.2f cores, %s", r.value, r.noise, r.detail)
	for _, l := range r.limits {
		fmt.Fprintf(&b, "; %s %.4g", l.name, l.value)
	}
	return b.String()
}

func measurements() []measurement {
	return []measurement{
		{"publish one", "events/s", "6,000", publishing(1)},
		{"publish batches of 100", "events/s", "30,000", publishing(100)},
		{"publish beside 10,000 other subscriptions", "times the cost beside 10", "1.2", crowd},
		{"webhooks", "deliveries/s", "8,000", callbacks(byHTTP())},
		{"webhooks on PostgreSQL", "deliveries/s", "6,000", onPostgres(callbacks(byHTTP()))},
		{"gRPC callbacks", "deliveries/s", "8,000", callbacks(byGRPC())},
		{"WebSocket callbacks", "deliveries/s", "15,000", callbacks(byWebSocket())},
		{"webhooks at 1,000 events/s", "ms p99", "25", steady},
		{"latency of 100 subscribers", "ms p99", "10", latency},
		{"fan-out to 1,000 subscribers", "messages/s", "none", saturated},
		{"fan-out to 1,000 groups of 10", "messages/s", "half of one group", grouped},
		{"10,000 come back, 1,000 events behind", "s", "20", resume},
		{"memory of an idle subscriber", "KiB", "none", memory},
		{"stream: 1,000 WebSockets, 32 events under way", "messages/s", "500,000", streaming{"graphql-ws", many, batched("raw-ws"), saturating(32), messages, false}.run},
		{"stream: 10,000 WebSockets, 32 events under way", "messages/s", "250,000", streaming{"graphql-ws", crowded, batched("raw-ws"), saturating(32), messages, false}.run},
		{"stream: 1,000 WebSockets, 4 events under way", "messages/s", "75,000", streaming{"graphql-ws", many, single("raw-ws"), saturating(4), messages, false}.run},
		{"stream: 1,000 by SSE, 32 events under way", "messages/s", "400,000", streaming{"graphql-sse", many, batched("raw-sse"), saturating(32), messages, false}.run},
		{"stream: 100 WebSockets at half of the highest rate", "ms p99", "5", streaming{"graphql-ws", few, single("raw-ws"), []string{"-half"}, p99, true}.run},
		{"stream: memory of one of 10,000 idle WebSockets", "KB", "8", streaming{"graphql-ws", crowded, single("go-ws"), briefly(), idle, false}.run},
		{"stream: memory of one of 10,000 idle by SSE", "KB", "8", streaming{"graphql-sse", crowded, single("go-http-sse"), briefly(), idle, false}.run},
	}
}

// A report prints medians as a table.
type report struct{ *tabwriter.Writer }

func newReport(w io.Writer) report {
	r := report{tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.Debug)}
	fmt.Fprintln(r, "measured\thark\ttarget\tlimit of the machine\tits value\tratio\tnoise\tof the median run")
	return r
}

func (r report) add(m measurement, results []result) {
	slices.SortFunc(results, func(a, b result) int { return cmp.Compare(a.value, b.value) })
	mid := results[len(results)/2]
	noise := fmt.Sprintf("%.2f cores", median(results, func(r result) float64 { return r.noise }))
	name, value, target, detail := m.name, number(mid.value)+" "+m.unit, m.target, mid.detail
	if len(mid.limits) == 0 {
		fmt.Fprintf(r, "%s\t%s\t%s\t\t\t\t%s\t%s\n", name, value, target, noise, detail)
	}
	for i, l := range mid.limits {
		found := median(results, func(r result) float64 { return r.limits[i].value })
		ratio := median(results, func(r result) float64 { return r.value / r.limits[i].value })
		fmt.Fprintf(r, "%s\t%s\t%s\t%s\t%s\t%.2f\t%s\t%s\n", name, value, target, l.name, number(found), ratio, noise, detail)
		name, value, target, noise, detail = "", "", "", "", ""
	}
}

func (r report) flush() error { return r.Flush() }

func median(results []result, of func(result) float64) float64 {
	values := make([]float64, len(results))
	for i, r := range results {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// number writes large numbers without a fraction, in groups of three digits.
func number(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.2f", v)
	}
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
