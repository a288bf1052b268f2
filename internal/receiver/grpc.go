package receiver

import (
	"context"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hark-events/hark"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// grpc makes the service hark.v1.EventReceiver.
func (r *Receiver) grpc() *grpc.Server {
	s := grpc.NewServer()
	harkv1.RegisterEventReceiverServer(s, eventReceiver{receiver: r})
	return s
}

type eventReceiver struct {
	harkv1.UnimplementedEventReceiverServer
	receiver *Receiver
}

// Deliver implements harkv1.EventReceiverServer.
func (er eventReceiver) Deliver(ctx context.Context, e *harkv1.Event) (*harkv1.Ack, error) {
	md, _ := metadata.FromIncomingContext(ctx) // without it every header is empty
	header := func(name string) string {
		if values := md.Get(name); len(values) > 0 {
			return values[0]
		}
		return ""
	}
	message, delivery, err := ofProto(e)
	a := er.receiver.take(er.receiver.admit(hark.GRPC, header, e.GetPayload()), message, delivery, err)
	if a.acknowledges() {
		return &harkv1.Ack{}, nil
	}
	return nil, status.Error(code(a.status), a.reason)
}

// code is the gRPC code that is nearest to an HTTP status. 410 is for good, as
// with HTTP.
func code(httpStatus int) codes.Code {
	switch httpStatus {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusGone:
		return codes.FailedPrecondition
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusNotImplemented:
		return codes.Unimplemented
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusGatewayTimeout:
		return codes.DeadlineExceeded
	}
	return codes.Unknown
}
