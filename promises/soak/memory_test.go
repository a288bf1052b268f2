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
	// warmUp is how long memory may grow: SQLite's caches fill until retention
	// takes as much out of the database as comes in.
	warmUp = 90 * time.Second
	// growth and slack bound the last third of the time after that beside the
	// first. In a soak of ten minutes with 2,000 deliveries a second, 300 bytes
	// that leak for each are more.
	growth = 1.1
	slack  = 32 << 20
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

// check prints the memory, and fails if it was not flat. A soak of less than six
// minutes is too short to tell.
func (m memory) check(t *testing.T) {
	t.Helper()
	long, samples := m.watched >= 2*warmUp, m.samples
	if long {
		samples = samples[len(samples)*int(warmUp/time.Second)/int(m.watched/time.Second):]
	}
	third := len(samples) / 3
	if third == 0 {
		t.Fatalf("hark told its memory %d times only in %v", len(m.samples), m.watched)
	}
	first, middle, last := median(samples[:third]), median(samples[third:2*third]), median(samples[2*third:])
	t.Logf("memory in thirds of the time without restarts: %.0f, %.0f, %.0f MiB; at most %.0f MiB",
		first/(1<<20), middle/(1<<20), last/(1<<20), slices.Max(samples)/(1<<20))
	if long && last > growth*first+slack {
		t.Errorf("hark's memory grew from %.0f to %.0f MiB", first/(1<<20), last/(1<<20))
	}
}

func median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)/2]
}
