package e2e_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// A road is a proxy in front of a node, whose connections can be cut with
// whatever is on its way in them.
type road struct {
	url string

	mu   sync.Mutex
	open map[net.Conn]struct{}
}

func newRoad(t *testing.T, node *testkit.Node) *road {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{url: "http://" + ln.Addr().String(), open: map[net.Conn]struct{}{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.carry(client, strings.TrimPrefix(node.URL(), "http://")) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close() // nobody listens any more
		r.cut()
		running.Wait()
	})
	return r
}

// carry brings what either side sends to the other, until one of them is gone.
func (r *road) carry(client net.Conn, to string) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return // the client tries again
	}
	defer server.Close()
	r.mu.Lock()
	r.open[client] = struct{}{}
	r.mu.Unlock()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // the end of one is the end of both
			_ = client.Close()
			_ = server.Close()
		})
	}
	both.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, client)
}

func (r *road) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		_ = c.Close() // it may be gone
	}
}

// TestClientsAcrossCuts shows that clients hear every event once and in order
// although their connections are cut again and again, with events on their way.
func TestClientsAcrossCuts(t *testing.T) {
	t.Parallel()
	artifacts(t) // for the packages
	node := testkit.Hark(t)
	way := newRoad(t, node)
	var walkers []*walker
	for _, name := range []string{
		"graphql-ws", "graphql-sse", "Apollo over WebSocket", "Apollo over multipart", "urql over WebSocket", "urql over SSE",
	} {
		walkers = append(walkers, newWalker(t, way.url, name, "node", "follow.mjs", name))
	}
	for _, w := range walkers {
		w.until(t, "published", func() bool { return w.published > 0 })
	}
	last := int64(0)
	heard := func() {
		t.Helper()
		for _, w := range walkers {
			w.until(t, fmt.Sprintf("heard %d", last), func() bool { return len(w.heard) > 0 && w.heard[len(w.heard)-1] >= last })
		}
	}
	for range 10 {
		last = publishMany(t, node, 20)
		heard()
		publishMany(t, node, 100)
		way.cut()
	}
	last = publishMany(t, node, 20)
	heard()
	inOrder(t, walkers)
}
