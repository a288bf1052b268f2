package grpcapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/hark-events/hark"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/wire"
)

// record writes the one log line of a call.
func (s *Server) record(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	start := time.Now()
	record := &wire.Record{ID: hark.NewID().String(), Refused: s.conf.Refused}
	ctx = hark.WithOrigin(wire.WithRecord(ctx, record), origin(ctx))
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-request-id", record.ID)) // fails outside of a call alone
	if parent := strings.Split(hark.TraceparentFrom(ctx), "-"); len(parent) == 4 {
		wire.Note(ctx, slog.String("trace", parent[1]))
	}
	out, err := next(ctx, in)
	level := slog.LevelInfo
	if !ours(info.FullMethod) {
		level = slog.LevelDebug
	}
	attrs := append([]slog.Attr{
		slog.String("request", record.ID), slog.String("method", "GRPC"), slog.String("path", info.FullMethod),
		slog.String("status", status.Code(err).String()), slog.Duration("took", time.Since(start)),
		slog.String("remote", hark.OriginFrom(ctx).Address), slog.String("userAgent", hark.OriginFrom(ctx).UserAgent),
	}, record.Attrs()...)
	s.conf.Log.LogAttrs(ctx, level, "request", attrs...)
	return out, err
}

// recover answers for a method that panicked: the stack is logged, never shown.
func (s *Server) recover(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.conf.Log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("request", wire.RequestID(ctx)),
				slog.Any("err", fmt.Errorf("%v", p)), slog.String("stack", string(debug.Stack())))
			out, err = nil, s.fail(ctx, wire.Panicked())
		}
	}()
	return next(ctx, in)
}

// authenticate lets nobody into hark's own services without a token, in the
// metadata authorization: Bearer <token>.
func (s *Server) authenticate(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !ours(info.FullMethod) {
		return next(ctx, in)
	}
	if err := s.conf.Limiter.Address(ctx); err != nil {
		return nil, s.fail(ctx, err)
	}
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) == 0 {
		return nil, s.fail(ctx, hark.Errorf(hark.Unauthenticated, "send an access token as metadata authorization: Bearer <token>"))
	}
	v, err := authority.Viewer(ctx, s.conf.Access, values[0])
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return next(hark.WithViewer(ctx, v), in)
}

// ours tells hark's services from health and reflection.
func ours(method string) bool {
	return strings.HasPrefix(method, "/"+harkv1.EventPublisher_ServiceDesc.ServiceName+"/")
}

// origin tells where a call came from.
func origin(ctx context.Context) (o hark.Origin) {
	if agent := metadata.ValueFromIncomingContext(ctx, "user-agent"); len(agent) > 0 {
		o.UserAgent = agent[0][:min(len(agent[0]), hark.MaxName)]
	}
	if p, err := netip.ParseAddrPort(remote(ctx)); err == nil {
		o.Address = p.Addr().Unmap().WithZone("").String()
	}
	return o
}

func remote(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}
