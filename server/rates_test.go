package server_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark/server"
	"github.com/hark-events/hark/server/limit"
)

// A purse is buckets that fill again when the test says so.
type purse struct {
	mu     sync.Mutex
	left   map[string]int // by kind; missing: without end
	wasted map[string]int // refused, by kind
}

// Take implements limit.Buckets.
func (p *purse) Take(_ context.Context, name string, _ time.Duration, _ int) (wait time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kind, _, _ := strings.Cut(name, ":")
	switch n, bounded := p.left[kind]; {
	case !bounded:
		return 0, nil
	case n == 0:
		return 2500 * time.Millisecond, nil
	}
	p.left[kind]--
	return 0, nil
}

func (p *purse) fill(kind string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left[kind] = n
}

func (p *purse) refused(kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wasted[kind]++
}

// rated is a server whose requests are paid from a purse.
func rated(t *testing.T) (*fixture, *purse) {
	t.Helper()
	p := &purse{left: map[string]int{}, wasted: map[string]int{}}
	l := limit.New(limit.Config{Rates: limit.Rates{Identity: 10, Address: 10}, Shared: p, Refused: p.refused})
	f := start(t, func(c *server.Config) {
		counted, _ := c.Access.(limit.Access)
		counted.Limiter = l
		c.Access, c.Limiter = counted, l
	})
	return f, p
}

// TestOperationsAreRequests: on a connection each operation counts, and what is
// too much is refused alone.
func TestOperationsAreRequests(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"identity", "address"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f, p := rated(t)
			p.fill(kind, 3) // the handshake or connection_init, and two operations
			s := f.dial(t, "graphql-transport-ws")
			s.init()
			s.say(sub("live", live))
			f.members(t, 1)
			s.say(sub("1", "{__typename}"))
			s.want(`{"id":"1","type":"next","payload":{"data":{"__typename":"Query"}}}`, `{"id":"1","type":"complete"}`)
			for range 2 {
				s.say(sub("2", "{__typename}"))
				got := s.hear()
				if !strings.HasPrefix(got, `{"id":"2","type":"error","payload":[{"message":"this `+kind+` makes more than 10 requests a second`) ||
					!strings.Contains(got, `"code":"RATE_LIMITED"`) || !strings.Contains(got, `"retryAfter":3`) {
					t.Error(got)
				}
			}
			one := f.log.append("1")
			s.want(`{"id":"live","type":"next","payload":` + result(one) + `}`)
			s.say(`{"type":"ping"}`) // no request
			s.want(`{"type":"pong"}`)
			p.fill(kind, 1)
			s.say(sub("2", "{__typename}"))
			s.want(`{"id":"2","type":"next","payload":{"data":{"__typename":"Query"}}}`, `{"id":"2","type":"complete"}`)
			s.say(sub("live", "{__typename}")) // an id that is taken says more of the client than its pace
			s.closed(4409)
			if p.wasted[kind] != 2 {
				t.Error(p.wasted)
			}
		})
	}
}

func TestOperationsOfTheOlderProtocolAreRequests(t *testing.T) {
	t.Parallel()
	f, p := rated(t)
	s := f.dial(t, "graphql-ws")
	s.say(initMessage)
	s.want(`{"type":"connection_ack"}`, `{"type":"ka"}`)
	p.fill("identity", 0)
	s.say(`{"id":"1","type":"start","payload":{"query":"{__typename}"}}`)
	if got := s.hear(); !strings.HasPrefix(got, `{"id":"1","type":"error","payload":{"message":`) || !strings.Contains(got, "RATE_LIMITED") {
		t.Error(got)
	}
}

// TestOperationsOfASingleConnectionAreRequests: also of who says by the URL
// alone who it is.
func TestOperationsOfASingleConnectionAreRequests(t *testing.T) {
	t.Parallel()
	f, p := rated(t)
	token := f.reserve(t)
	p.fill("address", 4)
	for _, header := range [][]string{{tokenHeader, token}, {tokenHeader, token, "Authorization", ""}} {
		for _, want := range []int{202, 429} {
			p.fill("identity", map[int]int{202: 1}[want])
			status, h, body := f.do(t, "POST", "/graphql", operationBody(strings.Repeat("x", want+len(header)), "{__typename}"), header...)
			if status != want || want == 429 && (h.Get("Retry-After") != "3" || !strings.Contains(body, "RATE_LIMITED")) {
				t.Error(header, status, h, body)
			}
		}
	}
	if p.left["address"] != 0 {
		t.Errorf("%d requests of the address are left: each counts once", p.left["address"])
	}
}
