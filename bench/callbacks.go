package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// inFlight is how many callbacks of a subscription are under way at a time in
// the measurements of gRPC and WebSocket: their answers share a connection.
const inFlight = 256

// A protocol is how callbacks are made, beside what bare brings to the same
// subscriber. The endpoint has %s where its address goes.
type protocol struct {
	name, endpoint, limit string
	maxInFlight           int // 0: hark's default
	bare                  func(ctx context.Context, addr string, d time.Duration) (float64, error)
}

func byHTTP() protocol {
	return protocol{"HTTP", "http://%s/hook", "net/http POSTs, requests/s", 0, barePostsTo}
}

func byGRPC() protocol {
	return protocol{"GRPC", "grpc://%s", "grpc-go calls on one connection, calls/s", inFlight, bareCalls}
}

func byWebSocket() protocol {
	return protocol{"WEBSOCKET", "ws://%s/events", "messages and acks on one socket, messages/s", inFlight, bareMessages}
}

// callbacks measures events from their publish to the acknowledgement of a
// subscriber, signed and with the attempt on record, in a steady state.
func callbacks(p protocol) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (r result, err error) {
		rate, err := p.measure(ctx, b.length/2)
		if err != nil {
			return r, err
		}
		cycles, err := b.bareCycles(ctx)
		if err != nil {
			return r, err
		}
		r.limits = []limit{{p.limit, rate}, cycles}

		c, err := startChild(ctx, "", "receivers")
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, c.stop()) }()
		s, err := b.start(ctx)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		w := &callbackLoad{server: s, sink: c}
		if w.subscription, err = s.subscribe(ctx, p, fmt.Sprintf(p.endpoint, c.addr), "update"); err != nil {
			return r, err
		}
		if _, err := w.run(ctx, warmUp); err != nil {
			return r, err
		}
		before, busy := readUsage(s.pid, c.pid), cpuTime(s.pid)
		if r.value, err = w.run(ctx, b.length); err != nil {
			return r, err
		}
		after := readUsage(s.pid, c.pid)
		r.noise = after.noise(before)
		r.detail = after.spent(before, cpuTime(s.pid)-busy, r.value)
		return r, w.settle(ctx)
	}
}

// measure gives the limit.
func (p protocol) measure(ctx context.Context, d time.Duration) (rate float64, err error) {
	c, err := startChild(ctx, "", "receivers")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	return p.bare(ctx, c.addr, d)
}

// bareCycles is what the database takes of an event with its delivery and attempt.
func (b *bench) bareCycles(ctx context.Context) (limit, error) {
	if b.database != "" {
		rate, err := bareCopies(ctx, b)
		return limit{"PostgreSQL event, delivery and attempt, 100 a commit, cycles/s", rate}, err
	}
	rate, err := bareInserts(ctx, b, 100, true)
	return limit{"SQLite event, delivery and attempt, 100 a commit, cycles/s", rate}, err
}

const (
	subscribe = "mutation($input:CreateEventSubscriptionInput!){createEventSubscription(input:$input){eventSubscription{id}}}"
	kinds     = `query($operation:String!){eventDefinitions(filter:{sourceService:"secret-manager",resourceType:"secret",operationType:$operation}){nodes{id}}}`
)

// subscribe orders the events of an operation on secrets to be sent to endpoint.
func (s *server) subscribe(ctx context.Context, p protocol, endpoint, operation string) (id string, err error) {
	var found struct {
		EventDefinitions struct{ Nodes []struct{ ID string } }
	}
	if err := s.do(ctx, kinds, map[string]any{"operation": operation}, &found); err != nil {
		return "", err
	}
	if len(found.EventDefinitions.Nodes) != 1 {
		return "", fmt.Errorf("secret:%s is not defined once", operation)
	}
	input := map[string]any{
		"eventDefinitionIds": []string{found.EventDefinitions.Nodes[0].ID}, "subscriberService": "bench", "deliveryEndpoint": endpoint,
		"callbackProtocol": p.name, "auth": map[string]any{"apiKey": map[string]any{"headerName": "X-Api-Key", "key": "bench-key"}},
	}
	if p.maxInFlight > 0 {
		input["maxInFlight"] = p.maxInFlight
	}
	var created struct {
		CreateEventSubscription struct{ EventSubscription struct{ ID string } }
	}
	err = s.do(ctx, subscribe, map[string]any{"input": input}, &created)
	return created.CreateEventSubscription.EventSubscription.ID, err
}

// barePostsTo is how many POSTs a second net/http brings to a subscriber.
func barePostsTo(ctx context.Context, addr string, d time.Duration) (rate float64, err error) {
	p := newPoster("http://"+addr, connections)
	defer p.close()
	body := publishBody(1)
	rate, _, err = p.load(ctx, connections, d, func() []byte { return body })
	return rate, err
}

// bareCalls is how many calls a second Go's gRPC client brings to a subscriber
// on one connection.
func bareCalls(ctx context.Context, addr string, d time.Duration) (rate float64, err error) {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	client := harkv1.NewEventReceiverClient(conn)
	event := &harkv1.Event{Id: someID, DeliveryId: someID, ProjectId: someID, EventType: "secret:update", Payload: publishBody(1)}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var total atomic.Int64
	start := time.Now()
	var calling sync.WaitGroup
	for range inFlight {
		calling.Go(func() {
			for ctx.Err() == nil && time.Since(start) < d {
				if _, err := client.Deliver(ctx, event); err != nil {
					cancel(err)
					return
				}
				total.Add(1)
			}
		})
	}
	calling.Wait()
	return float64(total.Load()) / time.Since(start).Seconds(), context.Cause(ctx)
}

const someID = "01890a5d-ac96-774b-bcce-b302099a8057"

// bareMessages is how many messages a second a socket at the least cost brings
// to a subscriber, inFlight of them at a time, one write for each.
func bareMessages(ctx context.Context, addr string, d time.Duration) (rate float64, err error) {
	s, err := newSocket(ctx, addr, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.upgrade(addr, "/events", "hark.v1"); err != nil {
		return 0, err
	}
	message := append([]byte(`{"deliveryId":"`+someID+`","payload":`), append(publishBody(1), '}')...)
	room := make(chan struct{}, inFlight)
	var total int64
	failed := make(chan error, 1)
	go func() {
		var buf []byte
		for {
			op, payload, err := s.frame(buf)
			if err != nil {
				failed <- err
				return
			}
			if buf = payload; op == opText {
				total++
				<-room
			}
		}
	}()
	start := time.Now()
	for time.Since(start) < d {
		select {
		case room <- struct{}{}:
		case err := <-failed:
			return 0, err
		}
		if err := s.send(opText, message); err != nil {
			return 0, err
		}
	}
	elapsed := time.Since(start)
	err = s.SetReadDeadline(time.Now())
	if err := <-failed; !isTimeout(err) {
		return 0, err
	}
	return float64(total) / elapsed.Seconds(), err
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
