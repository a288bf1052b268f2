package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/hark-events/hark/server/audience"
)

// Pings cost an answer each, so they are bounded as messages are.
func TestTooManyPings(t *testing.T) {
	t.Parallel()
	f := start(t)
	pongs := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, _, err := websocket.Dial(ctx, strings.Replace(f.URL, "http", "ws", 1)+"/graphql", &websocket.DialOptions{
		Subprotocols:   []string{"graphql-transport-ws"},
		OnPongReceived: func(context.Context, []byte) { pongs++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	s := &socket{c, t, ctx}
	s.init()
	for range 1000 {
		go func() { _ = c.Ping(ctx) }() // until it is answered, or the test ends
	}
	s.closed(websocket.StatusTryAgainLater)
	if pongs < 100 || met(f.server, audience.MessageRate) != 1 {
		t.Errorf("%d pings were answered, the limit was met %d times", pongs, met(f.server, audience.MessageRate))
	}
}

// The cursor came in a header, so that is where it is wrong.
func TestWrongLastEventID(t *testing.T) {
	t.Parallel()
	f := start(t)
	status, _, body := f.do(t, "POST", projectEvents, `{"projectId":"p","register":[{"event":"secret:update"}]}`, "Last-Event-ID", "nonsense")
	if status != 422 || !strings.Contains(body, `"path":"Last-Event-ID"`) {
		t.Error(status, body)
	}
}
