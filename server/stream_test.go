package server_test

import (
	"bufio"
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark"
)

// An sseReader reads frames of an event stream.
type sseReader struct {
	t    *testing.T
	resp *http.Response
	scan *bufio.Reader
}

// sse opens a stream by POST.
func (f *fixture) sse(t *testing.T, path, body string, header ...string) *sseReader {
	t.Helper()
	return f.open(t, http.MethodPost, path, body, header...)
}

// open opens a stream; a header without a value is not sent.
func (f *fixture) open(t *testing.T, method, path, body string, header ...string) *sseReader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, method, f.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+alice)
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	resp, err := f.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		resp.Body.Close()
	})
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	return &sseReader{t, resp, bufio.NewReader(resp.Body)}
}

// frame gives the next frame; empty at the end of the stream.
func (s *sseReader) frame() string {
	s.t.Helper()
	var b strings.Builder
	for {
		line, err := s.scan.ReadString('\n')
		if err != nil || line == "\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

func (s *sseReader) want(frames ...string) {
	s.t.Helper()
	for _, want := range frames {
		if got := s.frame(); got != want {
			s.t.Fatalf("\n got %q\nwant %q", got, want)
		}
	}
}

// begun hears when to come back and, of a stream that was opened, where it begins.
func (s *sseReader) begun() {
	s.t.Helper()
	if got := s.frame(); !regexp.MustCompile("^retry: 3000\n(id: [A-Za-z0-9_-]+\n)?$").MatchString(got) {
		s.t.Fatalf("%q", got)
	}
}

const subscribe = `{"query":"subscription{projectEvents(filter:{}){sequence payload}}"}`

func next(e *hark.Event, data string) string {
	return "id: " + e.Cursor().String() + "\nevent: next\ndata: " + data + "\n"
}

func result(e *hark.Event) string {
	return `{"data":{"projectEvents":{"sequence":` + string('0'+rune(e.Sequence)) + `,"payload":` + string(e.Payload) +
		`}},"extensions":{"cursor":"` + e.Cursor().String() + `"}}`
}

func TestSubscriptionBySSE(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.sse(t, "/graphql", subscribe)
	f.log.readers(t, 1)
	if got := s.frame(); !strings.HasPrefix(got, "retry: 3000\nid: ") {
		t.Errorf("a stream begins with %q", got)
	}
	one := f.log.append(`{"b":1,"a":"<"}`)
	two := f.log.append("[1,\n2]")
	s.want(next(one, result(one)))
	s.want(next(two, strings.ReplaceAll(result(two), "\n", "\ndata: ")))

	again := f.sse(t, "/graphql", subscribe, "Last-Event-ID", one.Cursor().String())
	again.begun()
	again.want(next(two, strings.ReplaceAll(result(two), "\n", "\ndata: ")))
	f.server.Drain() // no `complete`: the client comes back
	s.want("")
	again.want("")
	f.log.readers(t, 0)
}

func TestQueryBySSE(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.sse(t, "/graphql", `{"query":"{__typename}"}`).want("retry: 3000\n",
		"event: next\ndata: {\"data\":{\"__typename\":\"Query\"}}\n", "event: complete\ndata: \n", "")
	s := f.sse(t, "/graphql", `{"query":"{"}`)
	s.want("retry: 3000\n")
	if got := s.frame(); !strings.Contains(got, "GRAPHQL_PARSE_FAILED") {
		t.Error(got)
	}
	s.want("event: complete\ndata: \n", "")
}

func TestSSEEndsWithItsToken(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.sse(t, "/graphql", subscribe)
	f.log.readers(t, 1)
	f.access.change(func(v map[string]*hark.Viewer) { delete(v, alice) })
	s.begun()
	if got := s.frame(); !strings.Contains(got, "UNAUTHENTICATED") {
		t.Error(got)
	}
	s.want("event: complete\ndata: \n", "")
}

func TestChangedAuthorityGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.sse(t, "/graphql", subscribe)
	f.log.readers(t, 1)
	s.begun()
	one := f.log.append(`1`)
	s.want(next(one, result(one)))
	f.access.change(func(v map[string]*hark.Viewer) { v[alice] = &hark.Viewer{Name: "alice"} })
	eventually(t, func() bool {
		f.log.mu.Lock()
		defer f.log.mu.Unlock()
		return len(f.log.opened) == 2 && f.log.opened[1] == one.Cursor().String()
	})
	two := f.log.append(`2`)
	s.want(next(two, result(two)))
}

const projectEvents = "/api/v1/events/subscribe/project-events"

func TestProjectEvents(t *testing.T) {
	t.Parallel()
	f := start(t)
	const body = `{"projectId":"default","register":[{"event":"secret:update"}]}`
	s := f.sse(t, projectEvents, body)
	if h := s.resp.Header; h.Get("Cache-Control") != "no-cache" || h.Get("X-Accel-Buffering") != "no" {
		t.Error(h)
	}
	f.log.readers(t, 1)
	one := f.log.append("[{\"k\": \"<\"},\n1.50]")
	frame := func(id, payload string) string {
		return id + `event: secret:update
data: {"projectType":"secret-manager","data":{"eventType":"secret:update","payload":` + payload + "}}\n"
	}
	s.want(frame("id: "+one.Cursor().String()+"\n", `[{"k": "<"}, 1.50]`))

	item := `"` + strings.Repeat("x", 30<<10) + `"`
	long := f.log.append("[" + item + "," + item + "," + item + "]")
	s.want(frame("", "["+item+","+item+"]"), frame("id: "+long.Cursor().String()+"\n", "["+item+"]"))

	again := f.sse(t, projectEvents, body, "Last-Event-ID", one.Cursor().String())
	again.want(frame("", "["+item+","+item+"]"))
	gap := f.sse(t, projectEvents, body, "Last-Event-ID", "expired")
	if got := gap.frame(); !strings.HasPrefix(got, "event: gap\n") {
		t.Error(got)
	}
	f.access.change(func(v map[string]*hark.Viewer) { delete(v, alice) })
	s.want("event: error\ndata: {\"message\":\"the access token was revoked\"}\n", "")
	f.log.readers(t, 0)
}

func TestProjectEventsRefusals(t *testing.T) {
	t.Parallel()
	f := start(t)
	many := strings.Repeat(`{"event":"a:b"},`, 10) + `{"event":"a:b"}`
	for name, tt := range map[string]struct {
		body   string
		status int
		want   []string
	}{
		"no JSON":        {`x`, 422, []string{`"error":"ValidationFailure"`, `"path":""`}},
		"empty":          {`{}`, 422, []string{`"path":"projectId"`, `"path":"register"`}},
		"too many":       {`{"projectId":"p","register":[` + many + `]}`, 422, []string{`"path":"register"`}},
		"none":           {`{"projectId":"p","register":[]}`, 422, []string{`"path":"register"`}},
		"no environment": {`{"projectId":"p","register":[{"event":7,"conditions":{"secretPath":"x"}},3]}`, 422, []string{`"path":"register.0.event"`, `"path":"register.0.conditions.environmentSlug"`, `"path":"register.0.conditions.secretPath"`, `"path":"register.1"`}},
		"unregistered":   {`{"projectId":"p","register":[{"event":"no:such"}]}`, 422, []string{`"path":"register.0.event"`}},
		"no project":     {`{"projectId":"nowhere","register":[{"event":"a:b"}]}`, 404, []string{`"error":"NotFound"`, `"reqId":"`}},
		"forbidden":      {`{"projectId":"p","register":[{"event":"not:yours"}]}`, 403, []string{`"error":"PermissionDenied"`, `"details":{"action":"SUBSCRIBE_EVENTS"}`}},
		"too large":      {`{"projectId":"` + strings.Repeat("x", 64<<10) + `"}`, 413, []string{`"statusCode":413`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, _, body := f.do(t, http.MethodPost, projectEvents, tt.body)
			if status != tt.status {
				t.Errorf("%d %s", status, body)
			}
			for _, want := range tt.want {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in %s", want, body)
				}
			}
		})
	}
}

func TestReadersThatDrainBringClientsBack(t *testing.T) {
	t.Parallel()
	f := start(t)
	graphql := f.sse(t, "/graphql", subscribe)
	plain := f.sse(t, projectEvents, `{"projectId":"p","register":[{"event":"secret:update"}]}`)
	ws := f.dial(t, "graphql-transport-ws")
	ws.init()
	ws.say(sub("1", live))
	f.log.readers(t, 2) // two of them share one
	f.log.drain()
	graphql.begun()
	graphql.want("") // no complete
	plain.want("")   // no error
	ws.closed(1012)
}
