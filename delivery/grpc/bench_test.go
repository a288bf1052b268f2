package grpc

import (
	"context"
	"net"
	"net/http"
	"testing"

	"google.golang.org/grpc"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

func BenchmarkWorker(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer()
	harkv1.RegisterEventReceiverServer(server, receiver{deliver: func(context.Context, *harkv1.Event) (*harkv1.Ack, error) { return &harkv1.Ack{}, nil }})
	go func() { _ = server.Serve(ln) }() // until it is stopped
	defer server.Stop()
	driver := New(new(net.Dialer).DialContext, nil, delivery.NewAuthorizer(http.DefaultClient), delivery.Signer{}, "hark/bench")
	defer driver.Close()
	deliverytest.Benchmark(b, hark.GRPC, driver, "grpc://"+ln.Addr().String())
}
