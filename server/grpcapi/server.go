package grpcapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/hark-events/hark"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/limit"
)

// Limits of a connection.
const (
	maxMessage  = 4 << 20 // bytes, as much as a group commit takes
	maxHeader   = 64 << 10
	maxStreams  = 250 // calls under way on one connection
	handshake   = 10 * time.Second
	idleTimeout = 5 * time.Minute
	pingPause   = 10 * time.Second // between pings of a client
)

// A Publisher stores events, all or none, and answers after the commit.
// *events.Publisher is one; the Field of its errors begins with "input.N".
type Publisher interface {
	Publish(ctx context.Context, input []*hark.NewEvent) (events []*hark.Event, duplicates int, err error)
}

// Projects finds a project by id or slug, and the default one by nothing; NOT_FOUND.
type Projects interface {
	ProjectID(ctx context.Context, ref string) (hark.ID, error)
}

// A Config says what a Server serves. All fields are required but those with a default.
type Config struct {
	Publisher Publisher
	Projects  Projects
	Access    authority.Access
	Limiter   *limit.Limiter                           // of addresses; default none
	Refused   func(ctx context.Context, e *hark.Error) // is told of refusals; default nobody

	Trace grpc.UnaryServerInterceptor // outside of all others; default none

	TLS          *tls.Config   // nil: no TLS
	DrainTimeout time.Duration // for calls under way when Serve ends; default 30s
	Log          *slog.Logger
}

// A Server answers gRPC.
type Server struct {
	conf   Config
	grpc   *grpc.Server
	health *health.Server

	draining context.Context
	drain    context.CancelFunc
}

// New makes a Server. It starts nothing.
func New(c Config) *Server {
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 30*time.Second)
	if c.Limiter == nil {
		c.Limiter = limit.New(limit.Config{})
	}
	s := &Server{conf: c, health: health.NewServer()}
	s.draining, s.drain = context.WithCancel(context.Background())
	chain := []grpc.UnaryServerInterceptor{s.record, s.recover, s.authenticate}
	if c.Trace != nil {
		chain = append([]grpc.UnaryServerInterceptor{c.Trace}, chain...)
	}
	options := []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(chain...),
		grpc.StreamInterceptor(s.watched),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshake),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingPause, PermitWithoutStream: true}),
	}
	if c.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(c.TLS)))
	}
	s.grpc = grpc.NewServer(options...)
	harkv1.RegisterEventPublisherServer(s.grpc, &publisher{Server: s})
	healthv1.RegisterHealthServer(s.grpc, s.health)
	s.health.SetServingStatus(harkv1.EventPublisher_ServiceDesc.ServiceName, healthv1.HealthCheckResponse_SERVING)
	reflection.Register(s.grpc)
	return s
}

// Serve answers on ln until ctx ends, then drains: health says no, calls under
// way are finished, and after DrainTimeout what is left is cut.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- s.grpc.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve gRPC: %w", err)
	case <-ctx.Done():
	}
	s.health.Shutdown()
	s.drain()
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	late := time.NewTimer(s.conf.DrainTimeout)
	defer late.Stop()
	select {
	case <-done:
		return nil
	case <-late.C:
		s.grpc.Stop()
		<-done
		return errors.New("drain: gRPC calls were cut that took longer than the drain timeout")
	}
}
