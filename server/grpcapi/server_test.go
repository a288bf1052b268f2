package grpcapi_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hark-events/hark"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
	"github.com/hark-events/hark/server/grpcapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// access knows one token.
type access struct{}

func (access) Authenticate(_ context.Context, token string) (*hark.Viewer, error) {
	if token != "token" {
		return nil, &hark.Error{Code: hark.Unauthenticated, Message: "the access token has expired", Details: map[string]any{"reason": "expired"}}
	}
	return &hark.Viewer{Name: "ci"}, nil
}
func (access) Reauthorize(context.Context, *hark.Viewer) (*hark.Viewer, error) { return nil, nil }
func (access) Watch(*hark.Viewer, func()) func()                               { return func() {} }
func (access) Admit(context.Context, *hark.Viewer) error                       { return nil }

// taker remembers what it takes in; its answer is answer's.
type taker struct {
	mu     sync.Mutex
	taken  []*hark.NewEvent
	answer func(ctx context.Context) error
}

func (p *taker) Publish(ctx context.Context, input []*hark.NewEvent) (events []*hark.Event, duplicates int, err error) {
	if v, err := hark.ViewerFrom(ctx); err != nil || v.Name != "ci" {
		return nil, 0, errors.New("nobody publishes")
	}
	if p.answer != nil {
		if err := p.answer(ctx); err != nil {
			return nil, 0, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = append(p.taken, input...)
	for range input {
		events = append(events, &hark.Event{Sequence: int64(len(events)) + 7})
	}
	return events, 1, nil
}

func (*taker) ProjectID(_ context.Context, ref string) (id hark.ID, err error) {
	if ref == "nowhere" {
		return id, hark.Errorf(hark.NotFound, "there is no such project")
	}
	copy(id[:], ref)
	return id, nil
}

// serve starts a server; stop drains it and gives what Serve returned.
func serve(t *testing.T, p *taker, drain time.Duration) (conn *grpc.ClientConn, stop func() error) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpcapi.New(grpcapi.Config{Publisher: p, Projects: p, Access: access{}, DrainTimeout: drain, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	conn, err = grpc.NewClient(ln.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		_ = conn.Close()
		_ = stop()
	})
	return conn, stop
}

func as(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func TestPublish(t *testing.T) {
	t.Parallel()
	p := &taker{}
	conn, _ := serve(t, p, 0)
	out, err := harkv1.NewEventPublisherClient(conn).Publish(as(t.Context(), "token"), &harkv1.PublishRequest{Events: []*harkv1.NewEvent{
		{
			ProjectId: "shop", SourceService: "s", ResourceType: "r", OperationType: "o", Environment: "e", Path: "/p", Actor: "a",
			OccurredAt: &timestamppb.Timestamp{Seconds: 1, Nanos: 2}, Payload: []byte(`{"b": 1.0}`), IdempotencyKey: "k",
		},
		{Payload: []byte("1")},
	}})
	if err != nil || len(out.GetEvents()) != 2 || out.GetEvents()[1].GetSequence() != 8 || out.GetDuplicates() != 1 {
		t.Fatal(out, err)
	}
	var project hark.ID
	copy(project[:], "shop")
	want := hark.NewEvent{
		ProjectID: project, Kind: hark.Kind{SourceService: "s", ResourceType: "r", OperationType: "o"}, Environment: "e", Path: "/p", Actor: "a",
		OccurredAt: 1_000_000_002, IdempotencyKey: "k",
	}
	got := *p.taken[0]
	payload := string(got.Payload)
	if got.Payload = nil; payload != `{"b": 1.0}` || !equal(got, want) {
		t.Errorf("%+v %s", got, payload)
	}
}

func equal(a, b hark.NewEvent) bool {
	return a.ProjectID == b.ProjectID && a.Kind == b.Kind && a.Environment == b.Environment && a.Path == b.Path &&
		a.Actor == b.Actor && a.OccurredAt == b.OccurredAt && a.IdempotencyKey == b.IdempotencyKey
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		token   string
		event   *harkv1.NewEvent
		err     error
		code    codes.Code
		message string
		reason  string
	}{
		"no token":      {"", nil, nil, codes.Unauthenticated, "metadata authorization", "UNAUTHENTICATED"},
		"wrong token":   {"x", nil, nil, codes.Unauthenticated, "the access token has expired", "UNAUTHENTICATED"},
		"no project":    {"token", &harkv1.NewEvent{ProjectId: "nowhere"}, nil, codes.NotFound, "no such project", "NOT_FOUND"},
		"time":          {"token", &harkv1.NewEvent{OccurredAt: &timestamppb.Timestamp{Seconds: 1 << 40}}, nil, codes.InvalidArgument, "events[0].occurred_at: a time", "BAD_USER_INPUT"},
		"field":         {"token", nil, hark.BadInput("input.2.sourceService", "wrong"), codes.InvalidArgument, "events[2].source_service: wrong", "BAD_USER_INPUT"},
		"whole request": {"token", nil, hark.BadInput("input", "0 events"), codes.InvalidArgument, "events: 0 events", "BAD_USER_INPUT"},
		"forbidden":     {"token", nil, hark.Errorf(hark.Forbidden, "no"), codes.PermissionDenied, "no", "FORBIDDEN"},
		"conflict":      {"token", nil, hark.Errorf(hark.Conflict, "taken"), codes.AlreadyExists, "taken", "CONFLICT"},
		"limit":         {"token", nil, &hark.Error{Code: hark.RateLimited, Message: "often", Details: map[string]any{"retryAfter": 3}}, codes.ResourceExhausted, "often", "RATE_LIMITED"},
		"internal":      {"token", nil, errors.New("pq: secret words"), codes.Internal, "internal error", "INTERNAL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _ := serve(t, &taker{answer: func(context.Context) error { return tt.err }}, 0)
			ctx := t.Context()
			if tt.token != "" {
				ctx = as(ctx, tt.token)
			}
			var trailer metadata.MD
			_, err := harkv1.NewEventPublisherClient(conn).Publish(ctx, &harkv1.PublishRequest{Events: []*harkv1.NewEvent{tt.event}}, grpc.Trailer(&trailer))
			st := status.Convert(err)
			if st.Code() != tt.code || !strings.Contains(st.Message(), tt.message) || strings.Contains(st.Message(), "secret") {
				t.Fatal(err)
			}
			info, ok := st.Details()[0].(*errdetails.ErrorInfo)
			if !ok || info.GetReason() != tt.reason || info.GetMetadata()["requestId"] == "" {
				t.Error(st.Details())
			}
			if challenge := strings.Join(trailer.Get("www-authenticate"), ""); (challenge != "") != (tt.code == codes.Unauthenticated) || strings.Contains(challenge, "expired") != (tt.token == "x") {
				t.Error(challenge)
			}
			if wait := strings.Join(trailer.Get("retry-after"), ""); name == "limit" && wait != "3" {
				t.Error(trailer)
			}
		})
	}
}

func TestPanicIsInternal(t *testing.T) {
	t.Parallel()
	conn, _ := serve(t, &taker{answer: func(context.Context) error { panic("secret words") }}, 0)
	_, err := harkv1.NewEventPublisherClient(conn).Publish(as(t.Context(), "token"), &harkv1.PublishRequest{})
	if st := status.Convert(err); st.Code() != codes.Internal || st.Message() != "internal error" {
		t.Error(err)
	}
}

func TestHealthAndReflection(t *testing.T) {
	t.Parallel()
	conn, _ := serve(t, &taker{}, 0)
	for _, service := range []string{"", "hark.v1.EventPublisher"} {
		h, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || h.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Error(service, h, err)
		}
	}
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil || !strings.Contains(answer.String(), "hark.v1.EventPublisher") {
		t.Error(answer, err)
	}
	_ = stream.CloseSend()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// TestDrain: a call under way is finished, and one that takes too long is cut.
func TestDrain(t *testing.T) {
	t.Parallel()
	for name, drain := range map[string]time.Duration{"finished": time.Minute, "cut": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, release := make(chan struct{}), make(chan struct{})
			conn, stop := serve(t, &taker{answer: func(ctx context.Context) error {
				close(begun)
				select {
				case <-release:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}}, drain)
			called := make(chan error, 1)
			go func() {
				_, err := harkv1.NewEventPublisherClient(conn).Publish(as(context.Background(), "token"), &harkv1.PublishRequest{})
				called <- err
			}()
			<-begun
			watch, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if h, err := watch.Recv(); err != nil || h.GetStatus() != healthv1.HealthCheckResponse_SERVING {
				t.Fatal(h, err)
			}
			stopped := make(chan error, 1)
			go func() { stopped <- stop() }()
			for err == nil { // it is told that the node does not serve, or ends at once
				_, err = watch.Recv()
			}
			if name == "finished" {
				close(release)
				if err := <-called; err != nil {
					t.Error(err)
				}
				if err := <-stopped; err != nil {
					t.Error(err)
				}
				return
			}
			if err := <-called; err == nil {
				t.Error("a call that was cut is answered")
			}
			if err := <-stopped; err == nil {
				t.Error("that calls were cut is not told")
			}
		})
	}
}
