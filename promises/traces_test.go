package promises

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hark-events/hark/internal/testkit"
)

// TestTraces follows one event from its publisher to a stream and to a
// subscriber, in spans of the publisher's trace.
func TestTraces(t *testing.T) { // not parallel: the node inherits the environment
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	b := newBoard()
	spans := map[string]string{} // the traces of spans by their names
	otlp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var in collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &in)
		}
		if err != nil {
			t.Error(err)
		}
		b.change(func() {
			for _, resource := range in.GetResourceSpans() {
				for _, scope := range resource.GetScopeSpans() {
					for _, s := range scope.GetSpans() {
						if id := hex.EncodeToString(s.GetTraceId()); id == trace {
							spans[s.GetName()] = id
						}
					}
				}
			}
		})
	}))
	t.Cleanup(otlp.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	n := testkit.Hark(t)

	headers := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header.Get("traceparent") }))
	t.Cleanup(hook.Close)
	create(t, n.Admin(), input(t, n.Admin(), hook.URL))
	stream, err := n.Admin().Open(t.Context(), "/api/v1/events/subscribe/project-events", `{"projectId":"default","register":[{"event":"secret:update"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()

	resp, answer, err := n.Admin().Post(t.Context(), "/api/v1/events",
		`{"specversion":"1.0","id":"1","source":"secret-manager","type":"secret:update","subject":"/","harkenvironment":"staging","data":1}`,
		"Content-Type", "application/cloudevents+json", "traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	if got := <-headers; !strings.HasPrefix(got, "00-"+trace+"-") || strings.Contains(got, "00f067aa0ba902b7") {
		t.Errorf("the subscriber gets traceparent %q", got)
	}
	b.wait(t, "spans of the publisher's trace", func() bool {
		for _, name := range []string{"POST /api/v1/events", "publish", "commit", "stream", "callback HTTP"} {
			if spans[name] == "" {
				return false
			}
		}
		return true
	})
	if !strings.Contains(n.Log(), `"trace":"`+trace+`"`) {
		t.Error("the log line of the request does not name its trace")
	}
}

// TestTraceparentWithoutExport: it is passed on, and there is one anyway.
func TestTraceparentWithoutExport(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	headers := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header.Get("traceparent") }))
	t.Cleanup(hook.Close)
	create(t, n.Admin(), input(t, n.Admin(), hook.URL))
	id := mustPublish(t, n.Admin(), 1)[0].ID
	if got := <-headers; !strings.HasPrefix(got, "00-"+strings.ReplaceAll(id, "-", "")+"-") {
		t.Errorf("the event %s has traceparent %q", id, got)
	}
}

// TestTraceOutlivesItsNode: what is called back by a node that was started
// after the publishing, and tried again, belongs to the publisher's trace.
func TestTraceOutlivesItsNode(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]func() []string{
		"sqlite":   func() []string { return nil },
		"postgres": func() []string { return []string{"--database-url=" + testkit.Postgres(t), "--migrate"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
			n := testkit.Hark(t, flags()...)
			headers := make(chan string, 10)
			hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				headers <- r.Header.Get("traceparent")
				w.WriteHeader(http.StatusInternalServerError)
			}))
			t.Cleanup(hook.Close)
			in := input(t, n.Admin(), hook.URL)
			in["retryPolicy"] = testkit.Vars{"scheduleSeconds": []int{1}}
			id, _ := create(t, n.Admin(), in)
			_ = testkit.MustCall[any](t, n.Admin(), `mutation($id: UUID!) { pauseEventSubscription(id: $id) { id } }`, testkit.Vars{"id": id})
			resp, answer, err := n.Admin().Post(t.Context(), "/api/v1/events",
				`{"specversion":"1.0","id":"1","source":"secret-manager","type":"secret:update","subject":"/","harkenvironment":"staging","data":1}`,
				"Content-Type", "application/cloudevents+json", "traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatal(answer, err)
			}
			n.Kill()
			n.Start()
			_ = testkit.MustCall[any](t, n.Admin(), `mutation($id: UUID!) { resumeEventSubscription(id: $id) { id } }`, testkit.Vars{"id": id})
			for attempt := range 2 {
				if got := <-headers; !strings.HasPrefix(got, "00-"+trace+"-") || !strings.HasSuffix(got, "-01") {
					t.Errorf("attempt %d has traceparent %q", attempt+1, got)
				}
			}
		})
	}
}
