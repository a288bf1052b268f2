// Package stock serves hark's schema as gqlgen comes: its own transports, a Go channel for each subscriber, nothing stored. It is what hark is compared with.
package stock

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/graph"
)

const (
	queue   = 64 // events that wait for one subscriber; then publishing waits
	queries = 1000
	ping    = 15 * time.Second // as hark's
)

// Serve serves /graphql on ln: queries and mutations by POST, subscriptions by
// WebSocket and SSE.
func Serve(ln net.Listener) error {
	s := handler.New(graph.NewExecutableSchema(graph.Config{Resolvers: root{hub: &hub{project: hark.NewID(), all: map[chan *hark.Event]struct{}{}}}}))
	s.AddTransport(transport.Websocket{KeepAlivePingInterval: ping})
	s.AddTransport(transport.SSE{KeepAlivePingInterval: ping})
	s.AddTransport(transport.POST{})
	s.SetQueryCache(lru.New[*ast.QueryDocument](queries))
	mux := http.NewServeMux()
	mux.Handle("/graphql", s)
	return (&http.Server{Handler: mux, ReadHeaderTimeout: ping}).Serve(ln)
}

// A hub hands events to subscribers.
type hub struct {
	project  hark.ID
	sequence atomic.Int64

	mu  sync.RWMutex
	all map[chan *hark.Event]struct{}
}

func (h *hub) subscribe(ctx context.Context) <-chan *hark.Event {
	events := make(chan *hark.Event, queue)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[events] = struct{}{}
	context.AfterFunc(ctx, func() {
		go func() { // publishing may be waiting for it
			for range events {
			}
		}()
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.all, events)
		close(events)
	})
	return events
}

func (h *hub) publish(in *hark.NewEvent) *hark.Event {
	now := hark.Now()
	e := &hark.Event{
		ID: hark.NewID(), ProjectID: h.project, Sequence: h.sequence.Add(1), Kind: in.Kind, Environment: in.Environment,
		Path: in.Path, Payload: in.Payload, Actor: in.Actor, OccurredAt: now, PublishedAt: now,
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for events := range h.all {
		events <- e
	}
	return e
}

// root answers what is measured; the rest panics, as nil does.
type root struct {
	graph.ResolverRoot
	hub *hub
}

func (r root) Mutation() graph.MutationResolver         { return mutation{nil, r.hub} }
func (r root) Subscription() graph.SubscriptionResolver { return subscription{nil, r.hub} }

type mutation struct {
	graph.MutationResolver
	hub *hub
}

// PublishEvents hands events to all subscribers.
func (m mutation) PublishEvents(_ context.Context, input []*hark.NewEvent) (*graph.PublishEventsPayload, error) {
	out := &graph.PublishEventsPayload{}
	for _, in := range input {
		out.Events = append(out.Events, m.hub.publish(in))
	}
	return out, nil
}

type subscription struct {
	graph.SubscriptionResolver
	hub *hub
}

// ProjectEvents yields all events from now on.
func (s subscription) ProjectEvents(ctx context.Context, _ hark.ProjectEventsFilter, _ *string) (<-chan *hark.Event, error) {
	return s.hub.subscribe(ctx), nil
}
