package promises

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

// badBodies are no request of any route.
func badBodies() []string {
	long, deep := strings.Repeat("x", 40<<10), strings.Repeat("[", 20_000)
	return []string{
		"", " ", "null", "true", "0", "-", "1e999", `""`, `"text"`, "[]", "[[]]", "{}", "{", "}", "{]", `{"`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, "\x00", "\xff\xfe", "\ufeff{}",
		`{"query":1}`, `{"query":null}`, `{"query":""}`, `{"query":"{"}`, `{"query":"{ nothing }"}`, `{"query":"query { viewer { id } }"}`, `{"query":"` + long + `"}`,
		`{"query":"{ viewer { __typename } }","variables":[]}`, `{"query":"{ viewer { __typename } }","variables":"x"}`, `{"query":"{ viewer { __typename } }","operationName":"other"}`,
		`{"projectId":1,"register":[]}`, `{"projectId":"default"}`, `{"projectId":"default","register":{}}`, `{"projectId":"default","register":[{}]}`,
		`{"projectId":"default","register":[{"event":""}]}`, `{"projectId":"default","register":[{"event":"secret"}]}`, `{"projectId":"default","register":[{"event":"no:such"}]}`,
		`{"projectId":"default","register":[{"event":"secret:update","conditions":{}}]}`, `{"projectId":"default","register":[{"event":"secret:update","conditions":{"environmentSlug":"x","secretPath":"a"}}]}`,
		`{"projectId":"default","register":[{"event":"secret:update","conditions":{"environmentSlug":"x","secretPath":"/a["}}]}`, `{"projectId":"nowhere","register":[{"event":"secret:update"}]}`,
		`{"projectId":"default","register":[` + strings.Repeat(`{"event":"secret:update"},`, 11) + `{"event":"secret:update"}]}`, `{"projectId":"` + long + `","register":[{"event":"secret:update"}]}`,
		`{"clientId":1,"clientSecret":2}`, `{"clientId":"x"}`, `{"clientSecret":"x"}`, `{"clientId":"` + nowhere + `","clientSecret":"` + long + `"}`,
		`{"accessToken":null}`, `{"accessToken":"x"}`, `{"accessToken":"` + long + `"}`, `{"specversion":"1.0"}`, `{"specversion":"1.0","id":"1","source":"s","type":"t"}`,
		`{"specversion":"1.0","id":"1","source":"secret-manager","type":"secret:update","data":`, `{"specversion":"1.0","id":"1","source":"nobody","type":"secret:update","data":1}`,
		`[{"specversion":"1.0","id":"1","source":"secret-manager","type":"secret:update"}]`, deep, `{"query":` + deep, `{"a":"` + strings.Repeat("\\u0000", 1000) + `"}`, long,
		strings.Repeat(" ", 2<<20), `{"query":"` + strings.Repeat("y", 2<<20) + `"}`,
	}
}

// A badRoute is a route and the statuses that it answers what is no request with.
type badRoute struct {
	path   string
	header []string
	status []int
}

func badRoutes() []badRoute {
	return []badRoute{
		{"/graphql", nil, []int{200, 400, 413}},
		{"/graphql", []string{"Accept", "text/event-stream"}, []int{200, 400, 413}},
		{"/api/v1/events/subscribe/project-events", nil, []int{404, 413, 422}},
		{"/api/v1/events", []string{"Content-Type", "application/cloudevents+json"}, []int{413, 422}},
		{"/api/v1/events", []string{"Content-Type", "application/cloudevents-batch+json"}, []int{413, 422}},
		{"/api/v1/events", nil, []int{413, 422}},
		{"/api/v1/auth/universal-auth/login", nil, []int{401, 413, 422, 429}},
		{"/api/v1/auth/token/renew", nil, []int{413, 422}},
		{"/api/v1/auth/token/revoke", nil, []int{413, 422}},
	}
}

// TestBadRequests sends each bad body to each route, again and again: an answer
// of the documented set, soon, in words for people, nothing stored, and nothing
// left in memory.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	before := rows(t, n)
	took := badRound(t, n) // which fills caches
	if len(took) < 300 {
		t.Errorf("%d requests are too few", len(took))
	}
	slices.Sort(took)
	if median := took[len(took)/2]; median > 50*time.Millisecond {
		t.Error("bad requests are answered slowly, the median is", median)
	}
	goroutines, heap := fewest(t, n), liveHeap(t, n)
	for range 4 {
		badRound(t, n)
	}
	eventually(t, "the end of all that bad requests have begun", func() bool { return vital(t, n, "go_goroutines") <= goroutines })
	if grown := liveHeap(t, n) - heap; grown > 8<<20 {
		t.Errorf("four rounds of bad requests leave %.1f MiB in memory", grown/(1<<20))
	}
	unchanged(t, n, before)
	if strings.Contains(n.Log(), `"level":"ERROR"`) {
		t.Error("a bad request is told as a failure of hark's:", firstError(n.Log()))
	}
}

// fewest waits until the number of a node's goroutines has not shrunk for a while, and gives it.
func fewest(t *testing.T, n *testkit.Node) (least float64) {
	t.Helper()
	least = vital(t, n, "go_goroutines")
	same := 0
	eventually(t, "goroutines to end", func() bool {
		now := vital(t, n, "go_goroutines")
		if same++; now < least {
			least, same = now, 0
		}
		return same > 20
	})
	return least
}

// badRound sends each bad body to each route once, and tells how long each took.
func badRound(t *testing.T, n *testkit.Node) (took []time.Duration) {
	t.Helper()
	for _, route := range badRoutes() {
		for _, body := range badBodies() {
			start := time.Now()
			badRequest(t, n, route, body)
			took = append(took, time.Since(start))
		}
	}
	for _, cursor := range []string{"x", "-1", "AQAAAAE", strings.Repeat("A", 5000), "../..", "0"} {
		start := time.Now()
		resp, answer, err := n.Admin().Post(t.Context(), "/api/v1/events/subscribe/project-events",
			`{"projectId":"default","register":[{"event":"secret:update"}]}`, "Last-Event-ID", cursor)
		took = append(took, time.Since(start))
		if err != nil || resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("Last-Event-ID %.20q: %v %.300s", cursor, err, answer)
		}
	}
	return took
}

func badRequest(t *testing.T, n *testkit.Node, route badRoute, body string) {
	t.Helper()
	resp, err := n.Admin().Request(t.Context(), http.MethodPost, route.path, []byte(body), route.header...)
	if err != nil {
		if len(body) > 1<<20 {
			return // the connection may be closed before all of it was sent
		}
		t.Fatalf("%s %.60q: %v", route.path, body, err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	if err != nil && len(body) <= 1<<20 {
		t.Errorf("%s %.60q: %v", route.path, body, err)
	}
	if !slices.Contains(route.status, resp.StatusCode) {
		t.Errorf("%s %v %.60q: %s %.300s", route.path, route.header, body, resp.Status, answer)
	}
	if resp.StatusCode == http.StatusOK && !strings.Contains(string(answer), `"errors":[`) {
		t.Errorf("%s %.60q passes: %.300s", route.path, body, answer)
	}
	if internal(string(answer)) || len(answer) > 64<<10 {
		t.Errorf("%s %.60q: no words for people: %.300s", route.path, body, answer)
	}
}

func firstError(log string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"level":"ERROR"`) {
			return fmt.Sprintf("%.500s", line)
		}
	}
	return ""
}
