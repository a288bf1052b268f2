package promises

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hark-events/hark/internal/testkit"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// grpcAddr is where a node takes gRPC.
func grpcAddr(t *testing.T, n *testkit.Node) string {
	t.Helper()
	for line := range strings.Lines(n.Log()) {
		var l struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "listening for gRPC" {
			return l.Addr
		}
	}
	t.Fatal("the node does not listen for gRPC")
	return ""
}

func grpcClient(t *testing.T, addr string, c credentials.TransportCredentials) harkv1.EventPublisherClient {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return harkv1.NewEventPublisherClient(conn)
}

// TestGRPC publishes by gRPC, with TLS and without: the same checks and the
// same log as at every other door.
func TestGRPC(t *testing.T) {
	t.Parallel()
	cert, key, roots := testkit.CertificateFiles(t, t.TempDir())
	for name, tt := range map[string]struct {
		flags       []string
		credentials credentials.TransportCredentials
	}{
		"plain": {nil, insecure.NewCredentials()},
		"TLS":   {[]string{"--tls-cert=" + cert, "--tls-key=" + key}, credentials.NewTLS(&tls.Config{RootCAs: roots})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := testkit.Hark(t, append(tt.flags, "--grpc-addr=127.0.0.1:0")...)
			c := grpcClient(t, grpcAddr(t, n), tt.credentials)
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+testkit.AdminToken,
				"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
			made := func(operation, key string) *harkv1.NewEvent {
				return &harkv1.NewEvent{
					SourceService: "secret-manager", ResourceType: "secret", OperationType: operation, Environment: "staging",
					Path: "/", Payload: []byte(`{"z":1.0,"a":"<"}`), IdempotencyKey: key,
				}
			}
			send := func(events ...*harkv1.NewEvent) (string, error) {
				out, err := c.Publish(ctx, &harkv1.PublishRequest{Events: events})
				var sequences []int64
				for _, e := range out.GetEvents() {
					sequences = append(sequences, e.GetSequence())
				}
				return fmt.Sprint(sequences, out.GetDuplicates()), err
			}
			if got, err := send(made("update", "a"), made("create", "")); err != nil || got != "[1 2] 0" {
				t.Fatal(got, err)
			}
			if got, err := send(made("delete", "b"), made("update", "a")); err != nil || got != "[3 1] 1" {
				t.Error(got, err)
			}
			if _, err := send(made("delete", ""), made("unheard", "")); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "events[1]: ") {
				t.Error(err)
			}
			if _, err := send(); status.Code(err) != codes.InvalidArgument {
				t.Error(err)
			}
			if _, err := c.Publish(t.Context(), &harkv1.PublishRequest{Events: []*harkv1.NewEvent{made("update", "")}}); status.Code(err) != codes.Unauthenticated {
				t.Error(err)
			}
			if name == "plain" {
				if log := readLog(t, n.Admin()); len(log) != 3 || string(log[0].Payload) != `{"z":1.0,"a":"<"}` {
					t.Error(log)
				}
			}
			if !strings.Contains(n.Log(), `"path":"/hark.v1.EventPublisher/Publish","status":"InvalidArgument"`) {
				t.Error("a call has no log line")
			}
			if !strings.Contains(n.Log(), `"remote":"127.0.0.1","userAgent":"grpc-go/`) || !strings.Contains(n.Log(), `"trace":"4bf92f3577b34da6a3ce929d0e0e4736"`) {
				t.Error("a call's log line does not tell where it came from")
			}
		})
	}
}
