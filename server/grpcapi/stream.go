package grpcapi

import (
	"context"

	"google.golang.org/grpc"
)

// A watch is a stream of the health or the reflection service. It ends with the
// node's drain, which would wait for it in vain: nobody ends such a stream by himself.
type watch struct {
	grpc.ServerStream
	ctx context.Context // ends with the stream, and with the drain
}

// Context implements grpc.ServerStream.
func (w *watch) Context() context.Context { return w.ctx }

// RecvMsg implements grpc.ServerStream.
func (w *watch) RecvMsg(m any) error {
	received := make(chan error, 1)
	go func() { received <- w.ServerStream.RecvMsg(m) }() // ends with the stream
	select {
	case err := <-received:
		return err
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// watched serves a stream until the node drains.
func (s *Server) watched(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	return next(srv, &watch{stream, ctx})
}
