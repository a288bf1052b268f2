package server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hark-events/hark"
)

// get opens a stream by GET, as an EventSource does: it says who it is by the URL alone.
func (f *fixture) get(t *testing.T, path string, header ...string) *sseReader {
	t.Helper()
	return f.open(t, http.MethodGet, path, "", append([]string{"Authorization", "", "Content-Type", ""}, header...)...)
}

const tokenHeader = "X-GraphQL-Event-Stream-Token"

// reserve makes a reservation and gives its token.
func (f *fixture) reserve(t *testing.T) string {
	t.Helper()
	status, h, token := f.do(t, http.MethodPut, "/graphql", "", "Content-Type", "")
	if status != 201 || len(token) < 20 || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		t.Fatal(status, h, token)
	}
	return token
}

func operationBody(id, query string) string {
	return fmt.Sprintf(`{"query":%q,"extensions":{"operationId":%q}}`, query, id)
}

func nextOf(id, payload string) string {
	return `event: next` + "\n" + `data: {"id":"` + id + `","payload":` + payload + "}\n"
}

func completeOf(id string) string { return "event: complete\ndata: {\"id\":\"" + id + "\"}\n" }

// accepted starts an operation by header or by URL.
func (f *fixture) accepted(t *testing.T, token, id, query string) {
	t.Helper()
	if status, _, body := f.do(t, http.MethodPost, "/graphql", operationBody(id, query), tokenHeader, token); status != 202 || body != "" {
		t.Fatal(status, body)
	}
}

func TestSingleConnection(t *testing.T) {
	t.Parallel()
	f := start(t)
	token := f.reserve(t)
	f.accepted(t, token, "early", "{viewer{permissions}}") // before there is a stream
	f.accepted(t, token, "live", live)
	f.members(t, 1)
	zero := f.log.append("0")
	s := f.get(t, "/graphql?token="+token)
	s.want("retry: 3000\n")
	heard := map[string]bool{}
	for range 3 {
		heard[s.frame()] = true
	}
	if !heard[nextOf("early", `{"data":{"viewer":{"permissions":["READ_EVENTS"]}}}`)] || !heard[completeOf("early")] || !heard[nextOf("live", result(zero))] {
		t.Error(heard)
	}
	one := f.log.append(`{"a":"<"}`)
	s.want(nextOf("live", result(one)))

	// It is stopped, and its id is free again.
	if status, _, body := f.do(t, http.MethodDelete, "/graphql?operationId=live", "", tokenHeader, token); status != 200 {
		t.Error(status, body)
	}
	f.members(t, 0)
	f.log.append("2")
	f.accepted(t, token, "live", "{__typename}")
	s.want(nextOf("live", `{"data":{"__typename":"Query"}}`), completeOf("live"))
	f.accepted(t, token, "refused", `{event(id:"`+hark.NewID().String()+`"){id}}`)
	if got := s.frame(); !strings.Contains(got, `{"id":"refused","payload":{"errors":[`) || !strings.Contains(got, "NOT_FOUND") {
		t.Error(got)
	}
	s.want(completeOf("refused"))

	f.accepted(t, token, "live", live)
	f.members(t, 1)
	f.access.change(func(v map[string]*hark.Viewer) { delete(v, alice) })
	if got := s.frame(); !strings.Contains(got, `{"id":"live","payload":{"errors":[`) || !strings.Contains(got, "UNAUTHENTICATED") {
		t.Error(got)
	}
	s.want(completeOf("live"), "")
	f.members(t, 0)
	eventually(t, func() bool { open, _ := f.server.Audience(); return open == 0 })
}

// The rules of the single connection mode, graphql-sse PROTOCOL.md.
func TestSingleConnectionRules(t *testing.T) {
	t.Parallel()
	f := start(t)
	token := f.reserve(t)
	f.get(t, "/graphql?token="+token)
	f.accepted(t, token, "taken", live)
	typename := operationBody("x", "{__typename}")
	for name, tt := range map[string]struct {
		method, path, body string
		header             []string
		status             int
	}{
		"a reservation without a token":    {"PUT", "/graphql", "", []string{"Authorization", ""}, 401},
		"a stream of no reservation":       {"GET", "/graphql?token=x", "", []string{"Accept", "text/event-stream"}, 404},
		"a second stream":                  {"GET", "/graphql?token=" + token, "", []string{"Accept", "text/event-stream"}, 409},
		"an operation of no reservation":   {"POST", "/graphql", typename, []string{tokenHeader, "x"}, 404},
		"one of another's":                 {"POST", "/graphql", typename, []string{tokenHeader, token, "Authorization", "Bearer " + bob}, 404},
		"one with a bad token":             {"POST", "/graphql", typename, []string{tokenHeader, token, "Authorization", "Bearer x"}, 401},
		"one by the URL alone":             {"POST", "/graphql?token=" + token, operationBody("y", "{__typename}"), []string{"Authorization", ""}, 202},
		"one by GET":                       {"GET", "/graphql?token=" + token + "&query=" + url.QueryEscape("{__typename}") + "&extensions=" + url.QueryEscape(`{"operationId":"z"}`), "", nil, 202},
		"a mutation by GET":                {"GET", "/graphql?token=" + token + "&query=" + url.QueryEscape("mutation{publishEvents(input:[]){duplicates}}") + "&extensions=" + url.QueryEscape(`{"operationId":"z"}`), "", []string{"Accept", response}, 400},
		"one without an id":                {"POST", "/graphql", `{"query":"{__typename}"}`, []string{tokenHeader, token}, 400},
		"one of an id that is taken":       {"POST", "/graphql", operationBody("taken", "{__typename}"), []string{tokenHeader, token}, 409},
		"one that cannot be parsed":        {"POST", "/graphql", operationBody("x", "{"), []string{tokenHeader, token, "Accept", response}, 400},
		"one that is no JSON":              {"POST", "/graphql", "{", []string{tokenHeader, token}, 400},
		"stopping none":                    {"DELETE", "/graphql", "", []string{tokenHeader, token}, 400},
		"stopping one that is not there":   {"DELETE", "/graphql?operationId=q", "", []string{tokenHeader, token}, 200},
		"stopping one of no reservation":   {"DELETE", "/graphql?operationId=taken", "", []string{tokenHeader, "x"}, 404},
		"stopping without any reservation": {"DELETE", "/graphql?operationId=taken", "", nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if status, _, body := f.do(t, tt.method, tt.path, tt.body, tt.header...); status != tt.status {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestReservationEndsWithItsStream(t *testing.T) {
	t.Parallel()
	f := start(t)
	token := f.reserve(t)
	s := f.get(t, "/graphql?token="+token)
	f.accepted(t, token, "1", live)
	f.members(t, 1)
	s.resp.Body.Close()
	f.members(t, 0)
	if status, _, _ := f.do(t, http.MethodPost, "/graphql", operationBody("2", live), tokenHeader, token); status != 404 {
		t.Error(status)
	}
	unused := f.reserve(t)
	f.accepted(t, unused, "1", live)
	f.members(t, 1)
	f.server.Drain()
	f.members(t, 0)
	eventually(t, func() bool { open, _ := f.server.Audience(); return open == 0 })
}

// The rules of the distinct connections mode, graphql-sse PROTOCOL.md.
func TestDistinctConnectionsRules(t *testing.T) {
	t.Parallel()
	f := start(t)
	one := f.log.append("1")
	two := f.log.append("2")
	query := "/graphql?query=" + url.QueryEscape(live)
	auth := []string{"Authorization", "Bearer " + alice}

	// An EventSource comes back with the id of the last event.
	s := f.get(t, query, append(auth, "Last-Event-ID", one.Cursor().String())...)
	if h := s.resp.Header; h.Get("Cache-Control") != "no-cache" || h.Get("X-Accel-Buffering") != "no" {
		t.Error(h)
	}
	s.begun()
	s.want(next(two, result(two)))

	for name, tt := range map[string]struct{ query, code string }{
		"syntax":          {"{", "GRAPHQL_PARSE_FAILED"},
		"validation":      {"{nothing}", "GRAPHQL_VALIDATION_FAILED"},
		"two root fields": {"subscription{a:projectEvents(filter:{}){id} b:projectEvents(filter:{}){id}}", "GRAPHQL_VALIDATION_FAILED"},
		"variables":       {"subscription($f:ProjectEventsFilter!){projectEvents(filter:$f){id}}", "BAD_USER_INPUT"},
		"a subscription":  {`subscription{projectEvents(filter:{},after:"x"){id}}`, "BAD_USER_INPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := f.get(t, "/graphql?query="+url.QueryEscape(tt.query), auth...)
			s.want("retry: 3000\n")
			if got := s.frame(); !strings.HasPrefix(got, "event: next\ndata: {\"errors\":[") || !strings.Contains(got, tt.code) || strings.Count(got, "\n") != 2 {
				t.Error(got)
			}
			s.want("event: complete\ndata: \n", "")
		})
	}
}

func sha(query string) string {
	sum := sha256.Sum256([]byte(query))
	return hex.EncodeToString(sum[:])
}

// Apollo's persisted queries work at every door.
func TestPersistedQueriesEverywhere(t *testing.T) {
	t.Parallel()
	f := start(t)
	persisted := func(more string) string {
		return `{` + more + `"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + sha(live) + `"},"operationId":"1"}}`
	}
	hashOnly, whole := persisted(""), persisted(`"query":"`+live+`",`)

	ws := f.dial(t, "graphql-transport-ws")
	ws.init()
	ws.say(`{"id":"1","type":"subscribe","payload":` + hashOnly + `}`)
	if got := ws.hear(); !strings.Contains(got, `"id":"1","type":"error"`) || !strings.Contains(got, `"message":"PersistedQueryNotFound"`) || !strings.Contains(got, "PERSISTED_QUERY_NOT_FOUND") {
		t.Error(got)
	}
	if _, _, body := f.do(t, http.MethodPost, "/graphql", hashOnly, "Accept", acceptMultipart); !strings.Contains(body, "PERSISTED_QUERY_NOT_FOUND") {
		t.Error(body)
	}
	missing := f.sse(t, "/graphql", hashOnly)
	missing.want("retry: 3000\n")
	if got := missing.frame(); !strings.Contains(got, "PERSISTED_QUERY_NOT_FOUND") {
		t.Error(got)
	}
	ws.say(`{"id":"1","type":"subscribe","payload":` + whole + `}`)
	f.members(t, 1)

	sse := f.sse(t, "/graphql", hashOnly)
	sse.begun()
	parts := f.multipart(t, hashOnly)
	parts.want(`{}`)
	get := f.get(t, "/graphql?extensions="+url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"`+sha(live)+`"}}`), "Authorization", "Bearer "+alice)
	get.begun()
	token := f.reserve(t)
	single := f.get(t, "/graphql?token="+token)
	single.want("retry: 3000\n")
	if status, _, body := f.do(t, http.MethodPost, "/graphql", hashOnly, tokenHeader, token); status != 202 {
		t.Error(status, body)
	}
	f.members(t, 5)
	one := f.log.append("1")
	ws.want(ws.next("1", one))
	sse.want(next(one, result(one)))
	get.want(next(one, result(one)))
	parts.want(`{"payload":` + result(one) + `}`)
	single.want(nextOf("1", result(one)))
}
