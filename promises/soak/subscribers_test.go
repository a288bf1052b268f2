package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/hark-events/hark/internal/testkit"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

const (
	// timeout is of one attempt, in seconds.
	timeout = 1
	// Of a million callbacks so many fail, get no answer in time, or have their
	// connection reset. It is well below what opens a circuit for long.
	failures, hangs, resets = 100_000, 2_000, 500
)

// A subscriber takes callbacks of one protocol, in the mood that it is in.
type subscriber struct {
	harkv1.UnimplementedEventReceiverServer
	name  string
	moody atomic.Bool // it fails at times
	rpc   *grpc.Server
	total atomic.Int64 // acknowledged

	failed, hung, reset atomic.Int64

	mu   sync.Mutex
	took map[int64]int // acknowledgements by the sequence of the event
}

// An order is what makes a subscription of one kind.
type order struct {
	scheme string
	input  testkit.Vars
}

// subscribers starts two subscribers of each protocol, with a subscription each.
func subscribers(t *testing.T, c testkit.Client) (all []*subscriber) {
	t.Helper()
	definition := updates(t, c)
	for _, o := range []order{
		{"http", testkit.Vars{"callbackProtocol": "HTTP"}},
		{"http", testkit.Vars{"callbackProtocol": "HTTP", "requestMethod": "PUT", "payloadType": "XML"}},
		{"grpc", testkit.Vars{"callbackProtocol": "GRPC"}},
		{"grpc", testkit.Vars{"callbackProtocol": "GRPC"}},
		{"http", testkit.Vars{"callbackProtocol": "SOAP", "soapVersion": "V1_1"}},
		{"http", testkit.Vars{"callbackProtocol": "SOAP", "soapVersion": "V1_2"}},
		{"ws", testkit.Vars{"callbackProtocol": "WEBSOCKET"}},
		{"ws", testkit.Vars{"callbackProtocol": "WEBSOCKET", "payloadType": "XML"}},
	} {
		s := &subscriber{name: fmt.Sprintf("subscriber %d, %v", len(all)+1, o.input["callbackProtocol"]), took: make(map[int64]int)}
		o.input["deliveryEndpoint"] = o.scheme + s.listen(t)
		o.input["eventDefinitionIds"] = []string{definition}
		o.input["subscriberService"] = s.name
		o.input["auth"] = testkit.Vars{"apiKey": testkit.Vars{"key": "key-of-the-soak"}}
		o.input["timeoutSeconds"] = timeout
		o.input["retryPolicy"] = testkit.Vars{"scheduleSeconds": schedule()}
		testkit.MustCall[any](t, c, `mutation($input: CreateEventSubscriptionInput!) { createEventSubscription(input: $input) { eventSubscription { id } } }`,
			testkit.Vars{"input": o.input})
		all = append(all, s)
	}
	return all
}

// schedule has as many attempts as there may be, one a second: chance never
// brings a delivery to its end.
func schedule() []int {
	waits := make([]int, 20)
	for i := range waits {
		waits[i] = 1
	}
	return waits
}

// updates is the id of the definition of secret:update.
func updates(t *testing.T, c testkit.Client) string {
	t.Helper()
	type data struct {
		EventDefinitions struct{ Nodes []struct{ ID string } }
	}
	return testkit.MustCall[data](t, c, `{ eventDefinitions(filter: {sourceService: "secret-manager", resourceType: "secret", operationType: "update"}) { nodes { id } } }`, nil).
		EventDefinitions.Nodes[0].ID
}

// connection is the key of a request's connection in its context.
type connection struct{}

// listen serves until the test ends, and gives what follows the scheme of the
// endpoint.
func (s *subscriber) listen(t *testing.T) string {
	s.rpc = grpc.NewServer()
	harkv1.RegisterEventReceiverServer(s.rpc, s)
	server := httptest.NewUnstartedServer(s)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true) // of gRPC without TLS
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connection{}, c)
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL[len("http"):]
}

// acknowledge takes an event, unless the mood is against it. It may take longer
// than an attempt, or break the connection, of which ctx tells.
func (s *subscriber) acknowledge(ctx context.Context, sequence int64) bool {
	if s.moody.Load() {
		switch dice := rand.IntN(1_000_000); {
		case dice < failures:
			s.failed.Add(1)
			return false
		case dice < failures+hangs:
			s.hung.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(2 * timeout * time.Second):
			}
			return false
		case dice < failures+hangs+resets:
			s.reset.Add(1)
			c := ctx.Value(connection{}).(*net.TCPConn)
			_ = c.SetLinger(0) // or it has gone
			_ = c.Close()
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took[sequence]++
	s.total.Add(1)
	return true
}

// missing gives those of the events that were not acknowledged.
func (s *subscriber) missing(events map[int64]struct{}) (missing []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sequence := range events {
		if s.took[sequence] == 0 {
			missing = append(missing, sequence)
		}
	}
	return missing
}

// String sums up what came and how it was answered.
func (s *subscriber) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s: %d events acknowledged, %d of them again (duplicates); %d attempts failed, %d hung, %d reset",
		s.name, len(s.took), s.total.Load()-int64(len(s.took)), s.failed.Load(), s.hung.Load(), s.reset.Load())
}
