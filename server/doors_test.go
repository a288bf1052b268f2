package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hark-events/hark"
)

// An ask is a request of GraphQL, for any door.
type ask struct {
	Query      string         `json:"query,omitempty"`
	Variables  map[string]any `json:"variables,omitempty"`
	Extensions map[string]any `json:"extensions,omitempty"`
}

func (a ask) text() string {
	b, _ := json.Marshal(a) // texts and numbers
	return string(b)
}

func (a ask) url() string {
	q := url.Values{}
	for name, v := range map[string]any{"variables": a.Variables, "extensions": a.Extensions} {
		b, _ := json.Marshal(v)
		q.Set(name, string(b))
	}
	if a.Query != "" {
		q.Set("query", a.Query)
	}
	return "/graphql?" + q.Encode()
}

// A told is the first answer at a door: in which form it came, and what it says.
// "error" and "complete" are the end of the operation.
type told struct{ form, body string }

// doors are all ways to ask, by their names.
func doors() map[string]func(t *testing.T, f *fixture, a ask) told {
	plain := func(method, accept string) func(*testing.T, *fixture, ask) told {
		return func(t *testing.T, f *fixture, a ask) told {
			path, body := "/graphql", a.text()
			if method == http.MethodGet {
				path, body = a.url(), ""
			}
			status, _, got := f.do(t, method, path, body, "Accept", accept)
			return told{fmt.Sprint(status), got}
		}
	}
	events := func(method string) func(*testing.T, *fixture, ask) told {
		return func(t *testing.T, f *fixture, a ask) told {
			path, body := "/graphql", a.text()
			if method == http.MethodGet {
				path, body = a.url(), ""
			}
			s := f.open(t, method, path, body)
			s.begun()
			got := strings.TrimSuffix(s.frame(), "\n")
			_, data, _ := strings.Cut(got, "data: ")
			if !strings.Contains(data, `"errors"`) {
				return told{"next", data}
			}
			s.want("event: complete\ndata: \n", "")
			return told{"next, complete", data}
		}
	}
	socket := func(protocol, start, next string) func(*testing.T, *fixture, ask) told {
		return func(t *testing.T, f *fixture, a ask) told {
			s := f.dial(t, protocol)
			s.say(initMessage)
			s.hear() // connection_ack
			if protocol == "graphql-ws" {
				s.want(`{"type":"ka"}`)
			}
			s.say(`{"id":"1","type":"` + start + `","payload":` + a.text() + `}`)
			var m struct {
				Type    string
				Payload json.RawMessage
			}
			if err := json.Unmarshal([]byte(s.hear()), &m); err != nil {
				t.Fatal(err)
			}
			if m.Type == "error" { // nothing follows, not even complete
				s.say(`{"id":"2","type":"` + start + `","payload":{"query":"{__typename}"}}`)
				s.want(`{"id":"2","type":"` + next + `","payload":{"data":{"__typename":"Query"}}}`)
			}
			return told{strings.Replace(m.Type, "data", "next", 1), string(m.Payload)}
		}
	}
	return map[string]func(*testing.T, *fixture, ask) told{
		"POST":                  plain(http.MethodPost, response),
		"POST for JSON":         plain(http.MethodPost, "application/json"),
		"GET":                   plain(http.MethodGet, response),
		"SSE":                   events(http.MethodPost),
		"SSE by GET":            events(http.MethodGet),
		"WebSocket":             socket("graphql-transport-ws", "subscribe", "next"),
		"older WebSocket":       socket("graphql-ws", "start", "data"),
		"SSE on one connection": askSingle,
		"multipart":             askMultipart("multipart/mixed;subscriptionSpec=1.0"),
		"multipart or JSON":     askMultipart(acceptMultipart),
	}
}

func askSingle(t *testing.T, f *fixture, a ask) told {
	token := f.reserve(t)
	s := f.get(t, "/graphql?token="+token)
	s.begun()
	with := map[string]any{"operationId": "1"}
	for name, v := range a.Extensions {
		with[name] = v
	}
	a.Extensions = with
	status, _, body := f.do(t, http.MethodPost, "/graphql", a.text(), tokenHeader, token)
	if status != http.StatusAccepted {
		return told{fmt.Sprint(status), body}
	}
	_, data, _ := strings.Cut(strings.TrimSuffix(s.frame(), "\n"), "data: ")
	return told{"next", strings.TrimSuffix(strings.TrimPrefix(data, `{"id":"1","payload":`), "}")}
}

func askMultipart(accept string) func(*testing.T, *fixture, ask) told {
	return func(t *testing.T, f *fixture, a ask) told {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/graphql", strings.NewReader(a.text()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {accept}, "Authorization": {"Bearer " + alice}}
		resp, err := f.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		m := &multipartReader{t: t, body: resp.Body, boundary: "\r\n--graphql"}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
			return told{fmt.Sprint(resp.StatusCode), m.until()}
		}
		m.until()
		m.want("{}")
		body := strings.TrimSuffix(strings.TrimPrefix(m.part(), `{"payload":`), "}")
		if !strings.Contains(body, `"errors"`) {
			return told{"next", body}
		}
		m.want("--\r\n")
		return told{"next, complete", body}
	}
}

// What cannot be an argument's value refuses the operation, before any of it runs.
func TestWrongValuesAtEveryDoor(t *testing.T) {
	t.Parallel()
	f := start(t)
	form := map[string]string{
		"POST": "400", "POST for JSON": "200", "GET": "400", "SSE": "next, complete", "SSE by GET": "next, complete",
		"WebSocket": "error", "older WebSocket": "error", "SSE on one connection": "400", "multipart": "next, complete", "multipart or JSON": "200",
	}
	x := map[string]any{"v": "x"}
	for name, tt := range map[string]struct {
		ask   ask
		field string
	}{
		"subscription, variable": {ask{Query: `subscription($v: UUID) { projectEvents(filter: {projectId: $v}) { id } }`, Variables: x}, "filter.projectId"},
		"subscription, literal":  {ask{Query: `subscription { projectEvents(filter: {projectId: "x"}) { id } }`}, "filter.projectId"},
		"subscription, input": {
			ask{Query: `subscription($f: DeliveryFilter) { deliveryChanges(filter: $f) { id } }`, Variables: map[string]any{"f": map[string]any{"since": "x"}}}, "filter.since",
		},
		"query, variable":    {ask{Query: `query($v: UUID!) { event(id: $v) { id } viewer { permissions } }`, Variables: x}, "id"},
		"query, literal":     {ask{Query: `{ event(id: "x") { id } viewer { permissions } }`}, "id"},
		"mutation, variable": {ask{Query: `mutation($v: Time) { publishEvents(input: [` + aPublish + `, occurredAt: $v}]) { duplicates } }`, Variables: x}, "input.0.occurredAt"},
		"mutation, literal":  {ask{Query: `mutation { publishEvents(input: ` + aPublish + `, occurredAt: "x"}) { duplicates } }`}, "input.occurredAt"},
	} {
		for door, say := range doors() {
			if kind, _, _ := strings.Cut(name, ","); kind == "subscription" && strings.Contains("POST for JSON, GET", door) || kind == "mutation" && strings.Contains(door, "GET") {
				continue // it is not to be had there
			}
			t.Run(name+", by "+door, func(t *testing.T) {
				t.Parallel()
				got := say(t, f, tt.ask)
				if got.form != form[door] || !strings.Contains(got.body, `"code":"BAD_USER_INPUT","field":"`+tt.field+`"`) || strings.Contains(got.body, `"data"`) {
					t.Errorf("%s: %s", got.form, got.body)
				}
			})
		}
	}
}

const aPublish = `{sourceService: "a", resourceType: "b", operationType: "c", payload: 1`

// Apollo's protocol of automatic persisted queries: the hash alone is not known,
// then the query comes with it, and from then on the hash is enough.
func TestPersistedQueriesAtEveryDoor(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.log.append("1")
	begin := hark.Cursor{Project: f.log.project}.String()
	for door, say := range doors() {
		for kind, query := range map[string]string{
			"query":        `{ __typename } # ` + door,
			"subscription": `subscription { projectEvents(filter: {}, after: "` + begin + `") { sequence } } # ` + door,
		} {
			if kind == "subscription" && strings.Contains("POST for JSON, GET", door) {
				continue // it is not to be had there
			}
			t.Run(kind+" by "+door, func(t *testing.T) {
				t.Parallel()
				hash := map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": sha(query)}}
				if got := say(t, f, ask{Extensions: hash}); !strings.Contains(got.body, `"message":"PersistedQueryNotFound"`) || !strings.Contains(got.body, `"code":"PERSISTED_QUERY_NOT_FOUND"`) {
					t.Fatal(got)
				}
				for _, a := range []ask{{Query: query, Extensions: hash}, {Extensions: hash}} {
					if got := say(t, f, a); !strings.HasPrefix(got.body, `{"data":`) || got.form != "next" && got.form != "200" {
						t.Fatal(got)
					}
				}
			})
		}
	}
}
