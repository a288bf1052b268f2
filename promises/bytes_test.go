package promises

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestPayloadsKeepTheirBytes publishes payloads that a JSON library would
// rewrite, and reads them by query, stream and callback.
func TestPayloadsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	bodies := newBoard()
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		bodies.change(func() { got = append(got, string(b)) })
	}))
	t.Cleanup(server.Close)
	create(t, n.Admin(), input(t, n.Admin(), server.URL))
	cursor := mustPublish(t, n.Admin(), 1)[0].Cursor

	number := strings.Repeat("1234567890", 40)
	inputs := map[string]struct{ literal, payload string }{ // literal: in the language of GraphQL
		"400 digits":          {number, number},
		"400 digits, inside":  {"{b: [-" + number + "], a: 1.50}", `{"b":[-` + number + `],"a":1.50}`},
		"beyond int64":        {"9223372036854775808", "9223372036854775808"},
		"beyond float64":      {"1.0e400", "1.0e400"},
		"order and duplicate": {"", `{"z":1,"a":2,"z":3}`},
		"spaces":              {"", `{ "a" : [ 1 , 2 ] }`},
		"escapes":             {"", `"<\u003c&\u2028\ud83d\ude00/\/"`},
		"markup":              {`"<b>&amp;"`, `"<b>&amp;"`},
		"minus zero":          {"-0.0", "-0.0"},
		"empty text":          {`""`, `""`},
	}
	const fields = `sourceService: \"secret-manager\", resourceType: \"secret\", operationType: \"update\", payload: `
	var want []string
	for name, in := range inputs {
		requests := []string{`{"query":"mutation($p: JSON!) { publishEvents(input: [{` + fields + `$p}]) { events { payload } } }","variables":{"p":` + in.payload + `}}`}
		if in.literal != "" {
			requests = append(requests, fmt.Sprintf(`{"query":"mutation { publishEvents(input: [{%s%s}]) { events { payload } } }"}`, fields, strings.ReplaceAll(in.literal, `"`, `\"`)))
		}
		for _, body := range requests {
			_, answer, err := n.Admin().Post(t.Context(), "/graphql", body)
			if err != nil {
				t.Fatal(err)
			}
			if wanted := `{"data":{"publishEvents":{"events":[{"payload":` + in.payload + `}]}}}`; answer != wanted {
				t.Errorf("%s:\n got %s\nwant %s", name, answer, wanted)
				continue
			}
			want = append(want, in.payload)
		}
	}

	_, answer, err := n.Admin().Post(t.Context(), "/graphql", `{"query":"query($after: String) { events(filter: {}, after: $after) { nodes { payload } } }","variables":{"after":"`+cursor+`"}}`)
	if err != nil {
		t.Fatal(err)
	}
	var nodes []string
	for _, p := range want {
		nodes = append(nodes, `{"payload":`+p+`}`)
	}
	if wanted := `{"data":{"events":{"nodes":[` + strings.Join(nodes, ",") + `]}}}`; answer != wanted {
		t.Errorf("by query\n got %s\nwant %s", answer, wanted)
	}

	for path, stream := range map[string]struct{ body, line string }{
		"/graphql": {`{"query":"subscription { projectEvents(filter: {}) { payload } }"}`, `data: {"data":{"projectEvents":{"payload":%s}},`},
		"/api/v1/events/subscribe/project-events": {
			`{"projectId":"default","register":[{"event":"secret:update"}]}`,
			`data: {"projectType":"secret-manager","data":{"eventType":"secret:update","payload":%s}}`,
		},
	} {
		resp, err := n.Admin().Open(t.Context(), path, stream.body, "Accept", "text/event-stream", "Last-Event-ID", cursor)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		for i := 0; i < len(want) && lines.Scan(); {
			if !strings.HasPrefix(lines.Text(), "data: ") {
				continue
			}
			if wanted := fmt.Sprintf(stream.line, want[i]); !strings.HasPrefix(lines.Text(), wanted) {
				t.Errorf("%s\n got %s\nwant %s", path, lines.Text(), wanted)
			}
			i++
		}
		if err := lines.Err(); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
	}

	bodies.wait(t, "all callbacks", func() bool { return len(got) >= 1+len(want) })
	bodies.look(func() {
		for _, p := range want {
			found := false
			for _, b := range got {
				found = found || strings.Contains(b, `"payload":`+p+`}`) || strings.Contains(b, `"payload":`+p+`,`)
			}
			if !found {
				t.Errorf("no callback has the payload %s", p)
			}
		}
	})
}
