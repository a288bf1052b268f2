package grpc

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

const (
	// maxMessage bounds an Ack, which is empty, in bytes.
	maxMessage = 4 << 10
	// maxHeader bounds the headers and trailers of an answer, in bytes.
	maxHeader = 64 << 10
	// readBuffer is that of a connection, in bytes: room for a hundred answers.
	readBuffer = 4 << 10
	// pingAfter is when a connection on which nothing is read is asked for a
	// sign of life. Servers hang up on clients that ask oftener than every five
	// minutes.
	pingAfter = 5*time.Minute + 10*time.Second
	// pingTimeout is how long that, and all that was sent, may be without acknowledgement.
	pingTimeout = 10 * time.Second
)

// A connection is kept for one endpoint. gRPC dials anew under it when the
// subscriber hung up.
type connection struct {
	to     endpoint
	client *grpc.ClientConn
	cause  atomic.Pointer[error] // why the last dial or handshake failed; nil: it did not

	// Under the pool's lock:
	calls   int
	retired bool // not in the pool any more, closed with the last call
	idle    *time.Timer
}

// connect makes the connection to an endpoint. The first call dials.
func connect(to endpoint, dial Dial, conf *tls.Config, userAgent string) (*connection, error) {
	c := &connection{to: to}
	creds := insecure.NewCredentials()
	if to.tls {
		creds = handshake{credentials.NewTLS(conf), c}
	}
	var err error
	// passthrough: the guarded dialer gets the name itself, and checks the
	// address that it dials. So there is no second look-up to be lied to.
	c.client, err = grpc.NewClient("passthrough:///"+to.addr,
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := dial(ctx, "tcp", addr)
			c.note(err)
			return conn, err
		}),
		grpc.WithTransportCredentials(creds),
		grpc.WithDisableServiceConfig(),
		grpc.WithUserAgent(userAgent),
		grpc.WithIdleTimeout(0), // the pool closes what is idle
		grpc.WithMaxHeaderListSize(maxHeader),
		grpc.WithReadBufferSize(readBuffer),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{}), grpc.MaxCallRecvMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("make a gRPC client: %w", err)
	}
	return c, nil
}

func (c *connection) note(err error) {
	if err == nil {
		c.cause.Store(nil)
		return
	}
	c.cause.Store(&err)
}

// call sends message. It waits for a connection while gRPC is making one, and
// fails as soon as that does.
func (c *connection) call(ctx context.Context, message []byte) *answer {
	var header, trailer metadata.MD
	err := c.client.Invoke(ctx, harkv1.EventReceiver_Deliver_FullMethodName, &message, nil, grpc.Header(&header), grpc.Trailer(&trailer))
	st := status.Convert(err)
	// What speaks gRPC sends at least its content type.
	a := &answer{code: st.Code(), message: st.Message(), came: err == nil || len(header)+len(trailer) > 0}
	if ctx.Err() != nil && err != nil && len(trailer) == 0 {
		a.came = false // it began, but has no status
	}
	if !a.came {
		a.state = c.client.GetState()
		if cause := c.cause.Load(); cause != nil {
			a.cause = *cause
		}
	}
	return a
}

// handshake keeps why one failed, which gRPC would write into a status.
type handshake struct {
	credentials.TransportCredentials
	c *connection
}

func (h handshake) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, conn)
	h.c.note(err)
	return secure, info, err
}

func (h handshake) Clone() credentials.TransportCredentials {
	return handshake{h.TransportCredentials.Clone(), h.c}
}
