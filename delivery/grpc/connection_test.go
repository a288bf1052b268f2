package grpc

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-events/hark/delivery/deliverytest"
	"github.com/hark-events/hark/internal/egress"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// counting counts what a listener accepts, and tells when one of it is closed.
type counting struct {
	net.Listener
	accepted atomic.Int32
	closed   chan struct{}
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
		conn = &telling{Conn: conn, closed: c.closed}
	}
	return conn, err
}

type telling struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *telling) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.once.Do(func() { c.closed <- struct{}{} })
	}
	return n, err
}

// TestConnectionIsShared shows that subscriptions to one endpoint share its
// connection, which is closed when nobody uses it, and made anew after that.
func TestConnectionIsShared(t *testing.T) {
	t.Parallel()
	ln := &counting{Listener: listen(t), closed: make(chan struct{}, 8)}
	serve(t, ln, func(context.Context, *harkv1.Event) (*harkv1.Ack, error) { return &harkv1.Ack{}, nil })
	dr := newDriver(t, nil)
	dr.pool.idleTimeout = 200 * time.Millisecond
	endpoint := "grpc://" + ln.Addr().String()
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if _, err := deliver(t, dr, endpoint); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := ln.accepted.Load(); n != 1 {
		t.Errorf("%d connections for 32 calls at once", n)
	}
	<-ln.closed
	if _, err := deliver(t, dr, endpoint); err != nil {
		t.Error(err)
	}
	if n := ln.accepted.Load(); n != 2 {
		t.Errorf("%d connections after one was idle and closed", n)
	}
	dr.Close()
	<-ln.closed
	if _, err := deliver(t, dr, endpoint); err == nil || err.Error() != "hark is shutting down" {
		t.Errorf("after Close: %v", err)
	}
}

// TestNoBackOff shows that each attempt is a real one: a subscriber that has
// just come up is reached by the next.
func TestNoBackOff(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	addr := ln.Addr().String()
	var dials atomic.Int32
	dr := newDriver(t, func(ctx context.Context, network, to string) (net.Conn, error) {
		if to != addr {
			t.Errorf("dialled %s", to)
		}
		if dials.Add(1) <= 3 {
			return nil, errors.New("away")
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	})
	serve(t, ln, func(context.Context, *harkv1.Event) (*harkv1.Ack, error) { return &harkv1.Ack{}, nil })
	for n := range 4 {
		_, err := deliver(t, dr, "grpc://"+addr)
		if n < 3 && (err == nil || err.Error() != "away") || n == 3 && err != nil {
			t.Errorf("attempt %d: %v", n+1, err)
		}
	}
	if n := dials.Load(); n != 4 {
		t.Errorf("%d dials for 4 attempts", n)
	}
}

// TestGuard shows that the address is checked that is dialled, whatever its name.
func TestGuard(t *testing.T) {
	t.Parallel()
	policy, err := egress.NewPolicy(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(subscriber(t, deliverytest.Acknowledges, func(deliverytest.Call) { t.Error("the subscriber was reached") }))
	if err != nil {
		t.Fatal(err)
	}
	_, err = deliver(t, newDriver(t, policy.DialContext), "grpc://localhost:"+port)
	if err == nil || !strings.Contains(err.Error(), "of host localhost is loopback: allow it with HARK_DELIVERY_ALLOW") {
		t.Errorf("error %v", err)
	}
}
