package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/hark-events/hark/server"
	"github.com/hark-events/hark/server/audience"
)

// limited is a server with a limit of its own.
func limited(t *testing.T, l audience.Limits) *fixture {
	t.Helper()
	return start(t, func(c *server.Config) { c.Limits = l })
}

func (f *fixture) met(t *testing.T, l audience.Limit, want uint64) {
	t.Helper()
	eventually(t, func() bool { return met(f.server, l) >= want })
}

// refusesStream wants 429 at every door that opens streams by a request.
func (f *fixture) refusesStream(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		body := subscribe
		if path == projectEvents {
			body = `{"projectId":"p","register":[{"event":"secret:update"}]}`
		}
		method := http.MethodPost
		if path == "/graphql?put" {
			method = http.MethodPut
		}
		status, h, text := f.do(t, method, path, body, "Accept", "text/event-stream, multipart/mixed;subscriptionSpec=1.0;q=0.5")
		if status != 429 || h.Get("Retry-After") != "5" {
			t.Errorf("%s: %d %v %s", path, status, h, text)
		}
	}
}

func TestStreamsInAll(t *testing.T) {
	t.Parallel()
	f := limited(t, audience.Limits{Streams: 2})
	first := f.dial(t, "graphql-transport-ws")
	f.sse(t, "/graphql", subscribe)
	f.refusesStream(t, "/graphql", "/graphql?put", projectEvents)
	_, resp, err := websocket.Dial(t.Context(), strings.Replace(f.URL, "http", "ws", 1)+"/graphql", nil)
	if err == nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "5" {
		t.Errorf("%v %v", err, resp)
	}
	f.met(t, audience.Streams, 4)
	_ = first.CloseNow()
	eventually(t, func() bool { open, _ := f.server.Audience(); return open == 1 })
	f.sse(t, "/graphql", subscribe) // there is room again
}

func TestStreamsOfAnIdentity(t *testing.T) {
	t.Parallel()
	f := limited(t, audience.Limits{Identity: 1})
	f.sse(t, "/graphql", subscribe)
	f.refusesStream(t, "/graphql", "/graphql?put", projectEvents)
	s := f.dial(t, "graphql-transport-ws")
	s.say(initMessage)
	s.closed(websocket.StatusTryAgainLater)
	other := f.dial(t, "graphql-transport-ws")
	other.say(strings.Replace(initMessage, alice, bob, 1))
	other.acknowledged()
	f.met(t, audience.IdentityStreams, 4)
}

func TestStreamsOfAProject(t *testing.T) {
	t.Parallel()
	f := limited(t, audience.Limits{Project: 1})
	f.sse(t, projectEvents, `{"projectId":"p","register":[{"event":"secret:update"}]}`)
	f.refusesStream(t, projectEvents)
	f.sse(t, "/graphql", subscribe) // another door
	f.met(t, audience.ProjectStreams, 1)
}

func TestMessageLimits(t *testing.T) {
	t.Parallel()
	f := limited(t, audience.Limits{MessageBytes: 1000, MessageRate: 50, Operations: 10})
	large := f.dial(t, "graphql-transport-ws")
	large.say(`{"type":"ping","payload":{"a":"` + strings.Repeat("x", 900) + `"}}`)
	large.hear()
	large.say(`{"type":"ping","payload":{"a":"` + strings.Repeat("x", 1000) + `"}}`)
	large.closed(websocket.StatusMessageTooBig)
	f.met(t, audience.MessageBytes, 1)

	often := f.dial(t, "graphql-transport-ws")
	for i := range 60 { // those of a second, and as many operations as there may be
		often.say(fmt.Sprintf(`{"type":"ping","payload":{"n":%d}}`, i))
		often.want(fmt.Sprintf(`{"type":"pong","payload":{"n":%d}}`, i))
	}
	for range 60 {
		if often.Write(often.ctx, websocket.MessageText, []byte(`{"type":"pong"}`)) != nil {
			break // closed
		}
	}
	often.closed(websocket.StatusTryAgainLater)
	f.met(t, audience.MessageRate, 1)
}
