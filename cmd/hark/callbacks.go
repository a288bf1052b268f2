package main

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/grpc"
	"github.com/hark-events/hark/delivery/soap"
	"github.com/hark-events/hark/delivery/webhook"
	"github.com/hark-events/hark/delivery/websocket"
	"github.com/hark-events/hark/internal/egress"
	"github.com/hark-events/hark/store"
)

// callbacks are the drivers that there are, two of which keep connections of
// their own beside those of the HTTP client.
type callbacks struct {
	delivery.Drivers
	calls   *grpc.Driver
	sockets *websocket.Driver
}

func newCallbacks(policy *egress.Policy, client *http.Client, signer delivery.Signer, st *store.Store, log *slog.Logger) *callbacks {
	auth, agent := delivery.NewAuthorizer(client), "hark/"+version()
	calls := grpc.New(policy.DialContext, nil, auth, signer, agent)
	sockets := websocket.New(delivery.NewCaller(client, auth, signer, agent), st, log)
	return &callbacks{delivery.Drivers{
		hark.HTTP:      webhook.New(client, auth, signer, agent),
		hark.SOAP:      soap.New(client, auth, signer, agent),
		hark.GRPC:      calls,
		hark.WebSocket: sockets,
	}, calls, sockets}
}

// Run keeps the connections that are to be kept, until ctx ends: then it hangs up.
func (c *callbacks) Run(ctx context.Context) error {
	err := c.sockets.Run(ctx)
	c.sockets.Close()
	c.calls.Close()
	return err
}
