package promises

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// vital asks a node for one number of its metrics, on a connection that it closes.
func vital(t *testing.T, n *testkit.Node, name string) float64 {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	resp, err := n.Admin().Request(t.Context(), http.MethodGet, "/metrics", nil, "Connection", "close")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n"+name+" ")
	value, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		t.Fatalf("no metric %s: %v", name, err)
	}
	return v
}

// liveHeap is what a node's collector found in use, in bytes: it is made to
// collect twice, and sets its next goal at twice what is left.
func liveHeap(t *testing.T, n *testkit.Node) float64 {
	t.Helper()
	const collections = "go_gc_duration_seconds_count"
	waste := strings.Repeat(" ", 1<<19)
	goal := vital(t, n, collections) + 2
	eventually(t, "two collections", func() bool {
		for range 32 {
			if _, _, err := n.Admin().Post(t.Context(), "/graphql", waste); err != nil {
				t.Fatal(err)
			}
		}
		return vital(t, n, collections) >= goal
	})
	return vital(t, n, "go_memstats_next_gc_bytes") / 2
}
