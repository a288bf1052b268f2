package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server"
)

// TestRefusalsAreToldOnConnections: what is refused on a connection is told
// with where it came from, as what is refused to a request.
func TestRefusalsAreToldOnConnections(t *testing.T) {
	t.Parallel()
	origins := make(chan hark.Origin, 10)
	f := start(t, func(c *server.Config) {
		c.Refused = func(ctx context.Context, e *hark.Error) {
			if v, err := hark.ViewerFrom(ctx); err != nil || v.Name != "bob" || e.Code != hark.Forbidden {
				t.Error(v, err, e)
			}
			origins <- hark.OriginFrom(ctx)
		}
	})
	const mutation = "mutation{publishEvents(input:[]){duplicates}}"
	s := f.dial(t, "graphql-transport-ws")
	s.say(strings.Replace(initMessage, alice, bob, 1))
	s.acknowledged()
	s.say(sub("1", mutation))
	if got := s.hear(); !strings.Contains(got, "FORBIDDEN") {
		t.Error(got)
	}
	f.do(t, "POST", "/graphql", `{"query":"`+mutation+`"}`, "Authorization", "Bearer "+bob)
	for _, door := range []string{"WebSocket", "POST"} {
		if o := <-origins; o.Address != "127.0.0.1" || !strings.HasPrefix(o.UserAgent, "Go-http-client") {
			t.Errorf("%s: %+v", door, o)
		}
	}
}
