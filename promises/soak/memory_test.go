package soak

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

const (
	// shortWatch is too short a time to judge memory by: hark's heap is still on
	// its way to the size at which it is collected.
	shortWatch = 25 * time.Second
	// growth and slack bound the last third of the time beside the first. In ten
	// minutes at 2,000 deliveries a second, 300 bytes that leak for each are more.
	growth = 1.25
	slack  = 64 << 20
)

// memory is what hark had resident, in bytes, one sample after the other.
type memory struct {
	samples []float64
	watched time.Duration
}

// watchMemory samples hark's memory during d.
func watchMemory(t *testing.T, n *testkit.Node, d time.Duration) memory {
	t.Helper()
	m := memory{watched: d}
	tick := time.NewTicker(d / 100)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		m.samples = append(m.samples, resident(t, n.Admin()))
	}
	return m
}

// resident asks hark for its resident memory.
func resident(t *testing.T, c testkit.Client) float64 {
	t.Helper()
	resp, err := c.Request(t.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nprocess_resident_memory_bytes ")
	value, _, _ := strings.Cut(rest, "\n")
	bytes, err := strconv.ParseFloat(value, 64)
	if err != nil {
		t.Fatalf("hark's metrics do not tell its memory: %v", err)
	}
	return bytes
}

// check prints the memory, and fails if it was not flat.
func (m memory) check(t *testing.T) {
	t.Helper()
	third := len(m.samples) / 3
	if third == 0 {
		t.Fatalf("hark told its memory %d times only in %v", len(m.samples), m.watched)
	}
	first, middle, last := median(m.samples[:third]), median(m.samples[third:2*third]), median(m.samples[2*third:])
	t.Logf("memory in the thirds of the second half: %.0f, %.0f, %.0f MiB; at most %.0f MiB",
		first/(1<<20), middle/(1<<20), last/(1<<20), slices.Max(m.samples)/(1<<20))
	if m.watched >= shortWatch && last > growth*first+slack {
		t.Errorf("hark's memory grew from %.0f to %.0f MiB", first/(1<<20), last/(1<<20))
	}
}

func median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)/2]
}
