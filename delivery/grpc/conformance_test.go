package grpc

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// A receiver is a subscriber whose Deliver is the function.
type receiver struct {
	harkv1.UnimplementedEventReceiverServer
	deliver func(ctx context.Context, e *harkv1.Event) (*harkv1.Ack, error)
}

func (r receiver) Deliver(ctx context.Context, e *harkv1.Event) (*harkv1.Ack, error) {
	return r.deliver(ctx, e)
}

// serve runs a subscriber until the test ends.
func serve(t *testing.T, ln net.Listener, deliver func(context.Context, *harkv1.Event) (*harkv1.Ack, error), options ...grpc.ServerOption) {
	t.Helper()
	server := grpc.NewServer(options...)
	harkv1.RegisterEventReceiverServer(server, receiver{deliver: deliver})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ln) }) // until it is stopped
	t.Cleanup(func() { server.Stop(); serving.Wait() })
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func newDriver(t *testing.T, dial Dial) *Driver {
	t.Helper()
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	dr := New(dial, nil, delivery.NewAuthorizer(http.DefaultClient), delivery.Signer{}, "hark/test")
	t.Cleanup(dr.Close)
	return dr
}

func header(ctx context.Context) func(name string) string {
	md, _ := metadata.FromIncomingContext(ctx)
	return func(name string) string { return strings.Join(md.Get(name), ", ") }
}

func TestConformance(t *testing.T) {
	t.Parallel()
	away := listen(t)
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	with := func(dial Dial) func(*testing.T, *delivery.Authorizer) delivery.Driver {
		return func(t *testing.T, auth *delivery.Authorizer) delivery.Driver {
			dr := New(dial, nil, auth, delivery.Signer{}, "hark/test")
			t.Cleanup(dr.Close)
			return dr
		}
	}
	guard := net.Dialer{Control: func(string, string, syscall.RawConn) error {
		return errors.New("127.0.0.1 is a loopback address")
	}}
	deliverytest.Run(t, deliverytest.Subject{
		Protocol: hark.GRPC,
		Driver:   with(new(net.Dialer).DialContext),
		Guarded:  with(guard.DialContext),
		Refusal:  "127.0.0.1 is a loopback address",
		Subscriber: func(t *testing.T, b deliverytest.Behaviour, saw func(deliverytest.Call)) (string, bool) {
			return "grpc://" + subscriber(t, b, saw), true
		},
		Unreachable: "grpc://" + away.Addr().String(),
	})
}

// subscriber runs one that behaves as told.
func subscriber(t *testing.T, b deliverytest.Behaviour, saw func(deliverytest.Call)) (addr string) {
	ln := listen(t)
	switch b {
	case deliverytest.HangsUp:
		ln = &breaking{Listener: ln}
	case deliverytest.Drips, deliverytest.Endless, deliverytest.Huge:
		serveStream(t, ln, b)
		return ln.Addr().String()
	}
	serve(t, ln, func(ctx context.Context, e *harkv1.Event) (*harkv1.Ack, error) {
		saw(deliverytest.Call{DeliveryID: e.GetDeliveryId(), Header: header(ctx)})
		switch b {
		case deliverytest.Fails:
			return nil, status.Error(codes.Unavailable, "try later")
		case deliverytest.Refuses:
			return nil, status.Error(codes.FailedPrecondition, "never")
		case deliverytest.Unauthorized:
			if header(ctx)("authorization") == "Bearer token-1" {
				return nil, status.Error(codes.Unauthenticated, "another token, please")
			}
		case deliverytest.Echoes:
			md, _ := metadata.FromIncomingContext(ctx)
			var all []string
			for name, values := range md {
				all = append(all, name+": "+strings.Join(values, ", "))
			}
			return nil, status.Error(codes.InvalidArgument, strings.Join(all, "\n"))
		case deliverytest.Hangs:
			select {
			case <-ctx.Done():
			case <-t.Context().Done():
			}
		}
		return &harkv1.Ack{}, nil
	})
	return ln.Addr().String()
}

// serveStream answers unary calls in ways in which no unary method does.
func serveStream(t *testing.T, ln net.Listener, b deliverytest.Behaviour) {
	t.Helper()
	server := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		switch b {
		case deliverytest.Endless:
			return status.Error(codes.Internal, strings.Repeat("x", 16<<20))
		case deliverytest.Huge:
			return stream.SendMsg(make([]byte, 64<<20))
		}
		if err := stream.SendHeader(nil); err != nil {
			return err
		}
		select {
		case <-stream.Context().Done():
		case <-t.Context().Done():
		}
		return nil
	}))
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ln) }) // until it is stopped
	t.Cleanup(func() { server.Stop(); serving.Wait() })
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string                  { return "proto" }
func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (rawCodec) Unmarshal([]byte, any) error   { return nil }

// breaking breaks its first connection at the first thing it reads after the
// preface, which is a call.
type breaking struct {
	net.Listener
	sync.Once
}

func (b *breaking) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if err == nil {
		b.Do(func() { c = &brittle{Conn: c} })
	}
	return c, err
}

type brittle struct {
	net.Conn
	read int
}

func (b *brittle) Read(p []byte) (int, error) {
	if b.read > 200 { // preface and settings are less, a call with its metadata is more
		_ = b.Close()
		return 0, net.ErrClosed
	}
	n, err := b.Conn.Read(p)
	b.read += n
	return n, err
}

// deliver makes one attempt with the time-out of a second, which none of the
// tests here needs unless it says so.
func deliver(t *testing.T, dr *Driver, endpoint string) (delivery.Receipt, error) {
	t.Helper()
	s := deliverytest.Subscription(hark.GRPC, endpoint)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return dr.Deliver(ctx, s, deliverytest.Delivery(s, deliverytest.Event()))
}
