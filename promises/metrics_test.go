package promises

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestMetricsAreDocumented compares what a node exports, after it has published
// and delivered, with the table in docs/OPERATIONS.md.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	redis := testkit.Redis(t)
	n := testkit.Hark(t, "--redis-url="+redis.URL())
	s := newSubscriber(t, nil)
	create(t, n.Admin(), input(t, n.Admin(), s.url))
	mustPublish(t, n.Admin(), 3)
	waitForDeliveries(t, n.Admin(), s, 3)
	resp, err := n.Admin().Request(t.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	exported, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(docs), "## Metrics")
	table, _, _ = strings.Cut(table, "\n## ")

	documented := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| .*? \|`).FindAllString(table, -1) {
		for _, name := range regexp.MustCompile("`(hark_[a-z_]+)`").FindAllStringSubmatch(row, -1) {
			documented[name[1]] = true
		}
	}
	seen := map[string]bool{"hark_deliveries_dead_total": true} // it has no row before there is a dead letter
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (hark_[a-z_]+) `).FindAllStringSubmatch(string(exported), -1) {
		seen[line[1]] = true
		if !documented[line[1]] {
			t.Errorf("%s is not in the table of docs/OPERATIONS.md", line[1])
		}
	}
	for name := range documented {
		if !seen[name] {
			t.Errorf("%s is in the table of docs/OPERATIONS.md, but not exported", name)
		}
	}
	if !strings.Contains(string(exported), "\nhark_redis_up 1\n") || !strings.Contains(string(exported), `hark_subscriptions{state="active"} 1`) {
		t.Error("the state is not told")
	}
}
