package cloudevents_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/cloudevents"
)

// nobody knows one token.
type nobody struct{}

func (nobody) Authenticate(_ context.Context, token string) (*hark.Viewer, error) {
	if token != "token" {
		return nil, &hark.Error{Code: hark.Unauthenticated, Message: "no", Details: map[string]any{"reason": "invalid_token"}}
	}
	return &hark.Viewer{Name: "ci"}, nil
}
func (nobody) Reauthorize(context.Context, *hark.Viewer) (*hark.Viewer, error) { return nil, nil }
func (nobody) Watch(*hark.Viewer, func()) func()                               { return func() {} }
func (nobody) Admit(context.Context, *hark.Viewer) error                       { return nil }

// taker takes events in and remembers them; or refuses them with err.
type taker struct {
	taken []*hark.NewEvent
	err   error
}

func (p *taker) Publish(_ context.Context, input []*hark.NewEvent) (events []*hark.Event, duplicates int, err error) {
	if p.err != nil {
		return nil, 0, p.err
	}
	p.taken = append(p.taken, input...)
	for range input {
		events = append(events, &hark.Event{Sequence: int64(len(events)) + 1})
	}
	return events, 0, nil
}

// ProjectID answers with an id that begins with the reference.
func (*taker) ProjectID(_ context.Context, ref string) (id hark.ID, err error) {
	if ref == "nowhere" {
		return id, hark.Errorf(hark.NotFound, "there is no such project")
	}
	copy(id[:], ref)
	return id, nil
}

// send posts to a handler: header is names, each followed by its value.
func (p *taker) send(t testing.TB, token, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/events", strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	cloudevents.New(p, p, nobody{}, slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
	return w
}

// minimal is an event in the JSON format with more members in it.
func minimal(more string) string {
	return `{"specversion":"1.0","id":"1","source":"secret-manager","type":"secret:update","data":{"b":1.0, "a":"<"}` + more + `}`
}

// headers are those of a minimal event in binary mode, and more.
func headers(more ...string) []string {
	return append([]string{
		"Content-Type", "application/json", "ce-specversion", "1.0", "ce-id", "1",
		"ce-source", "secret-manager", "ce-type", "secret:update",
	}, more...)
}

const structured = "application/cloudevents+json"

func TestMapping(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body   string
		header []string
		want   string
	}{
		"binary": {
			`{"b":1.0, "a":"<"}`, headers(), `default secret-manager/secret:update   {"b":1.0, "a":"<"} 0 "secret-manager 1"`,
		},
		"binary with everything": {
			" [1]\n", headers("ce-harkproject", "a", "ce-harkenvironment", "staging", "ce-subject", "/app/%C3%BC%20%25", "ce-time", "2026-01-02T03:04:05.123456789+01:00", "ce-other", "x"),
			`a secret-manager/secret:update staging /app/ü % [1] 1767319445123456789 "secret-manager 1"`,
		},
		"binary with a quoted header": {
			`1`, headers("ce-subject", `"/a \"b\""`), `default secret-manager/secret:update  /a "b" 1 0 "secret-manager 1"`,
		},
		"binary with percent signs that encode nothing": {
			`1`, headers("ce-subject", `/100%/%zz%4`), `default secret-manager/secret:update  /100%/%zz%4 1 0 "secret-manager 1"`,
		},
		"binary without a type of content": {
			`1`, headers()[2:], `default secret-manager/secret:update   1 0 "secret-manager 1"`,
		},
		"structured": {
			minimal(""), []string{"Content-Type", structured}, `default secret-manager/secret:update   {"b":1.0, "a":"<"} 0 "secret-manager 1"`,
		},
		"structured with everything": {
			minimal(`,"subject":"/","time":"2026-01-02T03:04:05Z","harkproject":"b","harkenvironment":"e","datacontenttype":"application/vnd.x+json; charset=utf-8","sequence":7,"flag":true`),
			[]string{"Content-Type", structured + "; charset=UTF-8"},
			`b secret-manager/secret:update e / {"b":1.0, "a":"<"} 1767323045000000000 "secret-manager 1"`,
		},
		"data as base64": {
			`{"specversion":"1.0","id":"1","source":"s","type":"a:b","data_base64":"eyJhIjogMX0="}`, []string{"Content-Type", structured}, `default s/a:b   {"a": 1} 0 "s 1"`,
		},
		"project of the source": {
			minimal(`,"source":"/projects/shop/secret-manager","harkproject":"b"`),
			[]string{"Content-Type", structured},
			`shop secret-manager/secret:update   {"b":1.0, "a":"<"} 0 "/projects/shop/secret-manager 1"`,
		},
		"source with a host": {
			minimal(`,"source":"https://x.test/y/secret-manager","harkproject":"b"`),
			[]string{"Content-Type", structured},
			`b secret-manager/secret:update   {"b":1.0, "a":"<"} 0 "https://x.test/y/secret-manager 1"`,
		},
		"long id": {
			minimal(`,"id":"` + strings.Repeat("i", 300) + `"`),
			[]string{"Content-Type", structured},
			`default secret-manager/secret:update   {"b":1.0, "a":"<"} 0 "sha256:4e08c436581309327180b86db25efd2c8912e8466d0f3e303e1409ef45e79e54"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &taker{}
			w := p.send(t, "token", tt.body, tt.header...)
			if w.Code != http.StatusOK || w.Body.String() != `{"events":[{"id":"00000000-0000-0000-0000-000000000000","sequence":1}],"duplicates":0}`+"\n" {
				t.Fatal(w.Code, w.Body)
			}
			e := p.taken[0]
			project := strings.TrimRight(string(e.ProjectID[:]), "\x00")
			if project == "" {
				project = "default"
			}
			if got := fmt.Sprintf("%s %s %s %s %s %d %q", project, e.Kind, e.Environment, e.Path, e.Payload, e.OccurredAt, e.IdempotencyKey); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestBatchKeepsItsOrder(t *testing.T) {
	t.Parallel()
	p := &taker{}
	w := p.send(t, "token", "["+minimal(`,"id":"a"`)+","+minimal(`,"id":"b"`)+"]", "Content-Type", "application/cloudevents-batch+json")
	if w.Code != http.StatusOK || len(p.taken) != 2 || p.taken[0].IdempotencyKey != "secret-manager a" || p.taken[1].IdempotencyKey != "secret-manager b" {
		t.Error(w.Code, w.Body, p.taken)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const batch = "application/cloudevents-batch+json"
	for name, tt := range map[string]struct {
		body   string
		header []string
		status int
		paths  string // of the issues
	}{
		"plain JSON":               {`{}`, []string{"Content-Type", "application/json"}, 422, "specversion id source type"},
		"nothing":                  {``, nil, 422, "specversion id source type data"},
		"no data":                  {` `, headers(), 422, "data"},
		"XML format":               {`<event/>`, []string{"Content-Type", "application/cloudevents+xml"}, 415, ""},
		"Latin-1":                  {minimal(""), []string{"Content-Type", structured + "; charset=latin1"}, 415, ""},
		"data that is text":        {`x`, headers("Content-Type", "text/plain")[2:], 422, "datacontenttype"},
		"data that says it is XML": {minimal(`,"datacontenttype":"text/xml"`), []string{"Content-Type", structured}, 422, "datacontenttype"},
		"version 0.3":              {minimal(`,"specversion":"0.3"`), []string{"Content-Type", structured}, 422, "specversion"},
		"type without operation":   {minimal(`,"type":"secret"`), []string{"Content-Type", structured}, 422, "type"},
		"time that is none":        {minimal(`,"time":"now"`), []string{"Content-Type", structured}, 422, "time"},
		"id that is a number":      {minimal(`,"id":1`), []string{"Content-Type", structured}, 422, "id"},
		"id with a line break":     {minimal(`,"id":"a\nb"`), []string{"Content-Type", structured}, 422, "id"},
		"id without end":           {minimal(`,"id":"` + strings.Repeat("i", 5000) + `"`), []string{"Content-Type", structured}, 422, "id"},
		"source with a space":      {minimal(`,"source":"a b"`), []string{"Content-Type", structured}, 422, "source"},
		"a header twice":           {`1`, headers("ce-id", "2"), 422, "id"},
		"a header that is no text": {`1`, headers("ce-subject", "/%ff"), 422, "subject"},
		"data twice":               {minimal(`,"data_base64":"MQ=="`), []string{"Content-Type", structured}, 422, "data"},
		"data that is no base64":   {strings.Replace(minimal(""), `"data":{"b":1.0, "a":"<"}`, `"data_base64":"*"`, 1), []string{"Content-Type", structured}, 422, "data_base64"},
		"no object":                {`[]`, []string{"Content-Type", structured}, 422, ""},
		"null":                     {`null`, []string{"Content-Type", structured}, 422, ""},
		"not UTF-8":                {minimal(",\"subject\":\"/\xff\""), []string{"Content-Type", structured}, 422, ""},
		"no array":                 {minimal(""), []string{"Content-Type", batch}, 422, ""},
		"empty batch":              {`[]`, []string{"Content-Type", batch}, 422, ""},
		"large batch":              {"[" + strings.Repeat("1,", 1000) + "1]", []string{"Content-Type", batch}, 422, ""},
		"batch with bad events":    {"[" + minimal("") + "," + minimal(`,"type":"x","time":"y"`) + ",7]", []string{"Content-Type", batch}, 422, "1.type 1.time 2"},
		"unknown project":          {minimal(`,"harkproject":"nowhere"`), []string{"Content-Type", structured}, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &taker{}
			w := p.send(t, "token", tt.body, tt.header...)
			if w.Code != tt.status || len(p.taken) != 0 {
				t.Fatal(w.Code, w.Body, p.taken)
			}
			if tt.status == http.StatusUnprocessableEntity {
				wantPaths(t, w, tt.paths)
			}
		})
	}
}

func wantPaths(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	var a struct {
		Error   string
		Message []struct{ Path, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Error != "ValidationFailure" {
		t.Fatal(err, w.Body)
	}
	var paths []string
	for _, issue := range a.Message {
		paths = append(paths, issue.Path)
	}
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("issues at %q, want %q: %s", got, want, w.Body)
	}
}

// TestPublisherRefuses shows errors of the publisher under the names of CloudEvents.
func TestPublisherRefuses(t *testing.T) {
	t.Parallel()
	for field, want := range map[string][2]string{ // alone, in a batch
		"input.0.path":           {"subject", "0.subject"},
		"input.0.payload":        {"data", "0.data"},
		"input.0.environment":    {"harkenvironment", "0.harkenvironment"},
		"input.0.sourceService":  {"source", "0.source"},
		"input.0.operationType":  {"type", "0.type"},
		"input.0.idempotencyKey": {"id", "0.id"},
		"input.0":                {"type", "0.type"},
		"input":                  {"", ""},
	} {
		p := &taker{err: hark.BadInput(field, "wrong")}
		wantPaths(t, p.send(t, "token", minimal(""), "Content-Type", structured), want[0])
		wantPaths(t, p.send(t, "token", "["+minimal("")+"]", "Content-Type", "application/cloudevents-batch+json"), want[1])
	}
	p := &taker{err: hark.Errorf(hark.Forbidden, "no")}
	if w := p.send(t, "token", minimal(""), "Content-Type", structured); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "PermissionDenied") {
		t.Error(w.Code, w.Body)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for token, challenge := range map[string]string{"": `Bearer`, "x": `Bearer error="invalid_token", error_description="no"`} {
		w := (&taker{}).send(t, token, minimal(""), "Content-Type", structured)
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != challenge {
			t.Error(w.Code, w.Header())
		}
	}
}

// FuzzRequest: any request gets an answer of the documented set, and what is
// published is text.
func FuzzRequest(f *testing.F) {
	f.Add(structured, "", "", minimal(""))
	f.Add("application/cloudevents-batch+json", "", "", "["+minimal("")+"]")
	f.Add("application/json", "/%C3%BC", `"a\"b"`, `1`)
	f.Add("application/json", "%", "%%%", `{"data":`)
	f.Fuzz(func(t *testing.T, contentType, subject, id, body string) {
		p := &taker{}
		w := p.send(t, "token", body, "Content-Type", contentType, "ce-specversion", "1.0", "ce-type", "a:b", "ce-source", "s", "ce-id", id, "ce-subject", subject)
		switch w.Code {
		case 200, 415, 422, 404:
		default:
			t.Fatal(w.Code, w.Body)
		}
		if (w.Code == 200) != (len(p.taken) > 0) {
			t.Fatal(w.Code, p.taken)
		}
		for _, e := range p.taken {
			if hark.CheckText("key", e.IdempotencyKey, hark.MaxName) != nil || e.IdempotencyKey == "" {
				t.Fatalf("%q", e.IdempotencyKey)
			}
		}
	})
}
