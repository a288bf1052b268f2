package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/server"
)

// A socket is a client that says what it is told.
type socket struct {
	*websocket.Conn
	t   *testing.T
	ctx context.Context
}

func (f *fixture) dial(t *testing.T, subprotocols ...string) *socket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	c, _, err := websocket.Dial(ctx, strings.Replace(f.URL, "http", "ws", 1)+"/graphql", &websocket.DialOptions{Subprotocols: subprotocols})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.CloseNow()
		cancel()
	})
	c.SetReadLimit(1 << 20)
	return &socket{c, t, ctx}
}

func (s *socket) say(messages ...string) {
	s.t.Helper()
	for _, m := range messages {
		if err := s.Write(s.ctx, websocket.MessageText, []byte(m)); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *socket) hear() string {
	s.t.Helper()
	_, b, err := s.Read(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *socket) want(messages ...string) {
	s.t.Helper()
	for _, want := range messages {
		if got := s.hear(); got != want {
			s.t.Fatalf("\n got %s\nwant %s", got, want)
		}
	}
}

func (s *socket) closed(code websocket.StatusCode) {
	s.t.Helper()
	for {
		_, b, err := s.Read(s.ctx)
		if err == nil {
			s.t.Logf("before the close: %s", b)
			continue
		}
		if got := websocket.CloseStatus(err); got != code {
			s.t.Fatalf("closed with %d, want %d: %v", got, code, err)
		}
		return
	}
}

const initMessage = `{"type":"connection_init","payload":{"authorization":"Bearer ` + alice + `"}}`

func (s *socket) init() {
	s.t.Helper()
	s.say(initMessage)
	s.acknowledged()
}

// acknowledged gives the session.
func (s *socket) acknowledged() string {
	s.t.Helper()
	var m struct {
		Type    string
		Payload struct{ Session string }
	}
	if got := s.hear(); json.Unmarshal([]byte(got), &m) != nil || m.Type != "connection_ack" || m.Payload.Session == "" {
		s.t.Fatal(got)
	}
	return m.Payload.Session
}

func sub(id, query string) string {
	return fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":%q}}`, id, query)
}

const live = "subscription{projectEvents(filter:{}){sequence payload}}"

func TestCloseCodes(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, tt := range map[string]struct {
		say  []string
		code websocket.StatusCode
	}{
		"no JSON":                {[]string{`{`}, 4400},
		"an array":               {[]string{`[]`}, 4400},
		"no type":                {[]string{`{}`}, 4400},
		"unknown type":           {[]string{`{"type":"x"}`}, 4400},
		"server's type":          {[]string{initMessage, `{"id":"1","type":"next","payload":{}}`}, 4400},
		"no id":                  {[]string{initMessage, `{"type":"subscribe","payload":{"query":"{__typename}"}}`}, 4400},
		"id is a number":         {[]string{initMessage, `{"id":1,"type":"subscribe","payload":{"query":"{__typename}"}}`}, 4400},
		"no payload":             {[]string{initMessage, `{"id":"1","type":"subscribe"}`}, 4400},
		"no query":               {[]string{initMessage, `{"id":"1","type":"subscribe","payload":{}}`}, 4400},
		"variables are a list":   {[]string{initMessage, `{"id":"1","type":"subscribe","payload":{"query":"{__typename}","variables":[]}}`}, 4400},
		"complete without id":    {[]string{initMessage, `{"type":"complete"}`}, 4400},
		"a text":                 {[]string{`"x"`}, 4400},
		"null":                   {[]string{`null`}, 4400},
		"type is a number":       {[]string{`{"type":1}`}, 4400},
		"the older protocol":     {[]string{initMessage, `{"id":"1","type":"start","payload":{"query":"{__typename}"}}`}, 4400},
		"server's ack":           {[]string{`{"type":"connection_ack"}`}, 4400},
		"server's error":         {[]string{initMessage, `{"id":"1","type":"error","payload":[]}`}, 4400},
		"an empty id":            {[]string{initMessage, `{"id":"","type":"subscribe","payload":{"query":"{__typename}"}}`}, 4400},
		"payload is null":        {[]string{initMessage, `{"id":"1","type":"subscribe","payload":null}`}, 4400},
		"query is a number":      {[]string{initMessage, `{"id":"1","type":"subscribe","payload":{"query":1}}`}, 4400},
		"operationName is one":   {[]string{initMessage, `{"id":"1","type":"subscribe","payload":{"query":"{__typename}","operationName":1}}`}, 4400},
		"extensions are a text":  {[]string{initMessage, `{"id":"1","type":"subscribe","payload":{"query":"{__typename}","extensions":"x"}}`}, 4400},
		"session is a number":    {[]string{`{"type":"connection_init","payload":{"session":1}}`}, 4400},
		"init payload is a list": {[]string{`{"type":"connection_init","payload":[]}`}, 4400},
		"subscribe before init":  {[]string{sub("1", "{__typename}")}, 4401},
		"no token":               {[]string{`{"type":"connection_init"}`}, 4403},
		"bad token":              {[]string{`{"type":"connection_init","payload":{"authorization":"Bearer x"}}`}, 4403},
		"no init":                {nil, 4408},
		"an id twice":            {[]string{initMessage, sub("1", live), sub("1", live)}, 4409},
		"init twice":             {[]string{initMessage, initMessage}, 4429},
		"a message over 64 KiB":  {[]string{`{"type":"ping","payload":{"a":"` + strings.Repeat("x", 80<<10) + `"}}`}, 1009},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := f.dial(t, "graphql-transport-ws")
			s.say(tt.say...)
			s.closed(tt.code)
		})
	}
	t.Run("no subprotocol", func(t *testing.T) {
		t.Parallel()
		f.dial(t).closed(4406)
	})
	t.Run("binary", func(t *testing.T) {
		t.Parallel()
		s := f.dial(t, "graphql-transport-ws")
		if err := s.Write(s.ctx, websocket.MessageBinary, []byte(initMessage)); err != nil {
			t.Fatal(err)
		}
		s.closed(4400)
	})
}

func TestOperationsBySocket(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-transport-ws")
	s.say(`{"type":"ping","payload":{"a": 1}}`)
	s.want(`{"type":"pong","payload":{"a": 1}}`)
	s.init()
	s.say(sub("q", "{viewer{permissions}}"))
	s.want(`{"id":"q","type":"next","payload":{"data":{"viewer":{"permissions":["READ_EVENTS"]}}}}`, `{"id":"q","type":"complete"}`)
	s.say(sub("q", "{")) // the id is free at once
	if got := s.hear(); !strings.HasPrefix(got, `{"id":"q","type":"error","payload":[{"message":`) || !strings.Contains(got, "GRAPHQL_PARSE_FAILED") {
		t.Error(got)
	}

	s.say(sub("e", live))
	f.log.readers(t, 1)
	one := f.log.append(`{"b": 1, "a":"<"}`)
	s.want(`{"id":"e","type":"next","payload":` + result(one) + `}`)
	s.say(`{"id":"e","type":"complete"}`, `{"type":"ping"}`)
	s.want(`{"type":"pong"}`) // and no complete before it
	f.log.readers(t, 0)

	s.say(fmt.Sprintf(`{"id":"e","type":"subscribe","payload":{"query":"subscription($a:String){projectEvents(filter:{},after:$a){sequence payload deliveries{nodes{id}}}}","variables":{"a":%q}}}`,
		hark.Cursor{Project: f.log.project}))
	got := s.hear() // the fake has no deliveries: a panic, and non-null up to the root
	if !strings.Contains(got, `"data":null`) || !strings.Contains(got, `"path":["projectEvents","deliveries"]`) || !strings.Contains(got, "INTERNAL") {
		t.Error(got)
	}
	f.access.change(func(v map[string]*hark.Viewer) { delete(v, alice) })
	s.closed(4403)
	f.log.readers(t, 0)
}

// What a connection asks for has a line each in the log, as if it were requests.
func TestEachOperationHasALine(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-transport-ws")
	s.init()
	s.say(sub("one", "query Mine{viewer{permissions}}"))
	s.hear()
	s.hear()
	s.say(sub("two", live))
	f.log.readers(t, 1)
	s.say(sub("three", "subscription{projectEvents(filter:{},after:\"none\"){sequence}}"))
	if got := s.hear(); !strings.Contains(got, "BAD_USER_INPUT") {
		t.Error(got)
	}
	type line struct{ Msg, ID, Request, Identity, Operation, Code string }
	got := map[string]line{}
	eventually(t, func() bool {
		for text := range strings.Lines(f.lines.String()) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Error(err)
			}
			if l.Msg == "operation" {
				got[l.ID] = l
			}
		}
		return len(got) == 3
	})
	for id, operation := range map[string]string{"one": "query Mine", "two": "subscription", "three": "subscription"} {
		l := got[id]
		if l.Operation != operation || l.Identity == "" || l.Request == "" || l.Request != got["one"].Request {
			t.Errorf("%+v", l)
		}
	}
}

func TestTooManyOperations(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-transport-ws")
	s.init()
	for i := range 101 {
		s.say(sub(fmt.Sprint(i), live))
	}
	if got := s.hear(); !strings.Contains(got, `"id":"100","type":"error"`) || !strings.Contains(got, "RATE_LIMITED") {
		t.Error(got)
	}
}

func TestLegacyProtocol(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-ws")
	s.say(initMessage)
	s.want(`{"type":"connection_ack"}`, `{"type":"ka"}`)
	s.say(`{"id":"1","type":"start","payload":{"query":"{__typename}"}}`)
	s.want(`{"id":"1","type":"data","payload":{"data":{"__typename":"Query"}}}`, `{"id":"1","type":"complete"}`)
	s.say(`{"id":"1","type":"start","payload":{"query":"` + live + `"}}`)
	f.log.readers(t, 1)
	s.say(`{"id":"1","type":"stop"}`)
	s.want(`{"id":"1","type":"complete"}`)
	s.say(`{"type":"connection_terminate"}`)
	s.closed(1000)
}

func TestUpgradeRefusals(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *server.Config) { c.Origins = []string{"https://app.example.com"} })
	for name, tt := range map[string]struct {
		header http.Header
		status int
	}{
		"foreign origin": {http.Header{"Origin": {"https://evil.example.com"}}, 403},
		"listed origin":  {http.Header{"Origin": {"https://app.example.com"}}, 101},
		"bad token":      {http.Header{"Authorization": {"Bearer x"}}, 401},
		"good token":     {http.Header{"Authorization": {"Bearer " + alice}}, 101},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, resp, err := websocket.Dial(t.Context(), strings.Replace(f.URL, "http", "ws", 1)+"/graphql",
				&websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: tt.header})
			if resp.StatusCode != tt.status {
				t.Fatal(resp.StatusCode, err)
			}
			if tt.status != 101 {
				return
			}
			defer c.CloseNow()
			s := &socket{c, t, t.Context()}
			if tt.header.Get("Authorization") != "" {
				s.say(`{"type":"connection_init"}`)
				s.acknowledged()
			}
		})
	}
}

func TestSubscriptionWithoutFeed(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-transport-ws")
	s.init()
	s.say(sub("d", "subscription{deliveryChanges{attemptCount}}"))
	first := <-f.log.watchers
	first <- &ent.Delivery{AttemptCount: 1}
	s.want(`{"id":"d","type":"next","payload":{"data":{"deliveryChanges":{"attemptCount":1}}}}`)
	f.access.change(func(v map[string]*hark.Viewer) { v[alice] = &hark.Viewer{Name: "alice"} })
	again := <-f.log.watchers // for what the caller may see now
	again <- &ent.Delivery{AttemptCount: 2}
	s.want(`{"id":"d","type":"next","payload":{"data":{"deliveryChanges":{"attemptCount":2}}}}`)
	close(again)
	s.want(`{"id":"d","type":"complete"}`)
}
