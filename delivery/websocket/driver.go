// Package websocket is the driver for callbacks by WebSocket: hark dials, and keeps one connection for each subscription.
package websocket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

var _ delivery.Driver = (*Driver)(nil)

// subprotocol is what a subscriber must agree to: messages one way, ack and
// nack by delivery id the other.
const subprotocol = "hark.v1"

var errClosed = errors.New("hark is shutting down")

// A Driver sends messages on the connections that it keeps.
type Driver struct {
	caller *delivery.Caller
	orders Orders
	log    *slog.Logger

	mu     sync.Mutex
	closed bool
	links  map[hark.ID]*link // by their subscriptions
}

// New makes a Driver, to be closed. The caller makes the upgrades; Run asks the
// orders which connections to keep.
func New(caller *delivery.Caller, orders Orders, log *slog.Logger) *Driver {
	return &Driver{caller: caller, orders: orders, log: log, links: make(map[hark.ID]*link)}
}

// Check implements delivery.Driver.
func (dr *Driver) Check(s *hark.Subscription) error {
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" {
		return hark.BadInput("deliveryEndpoint", "the endpoint of a WebSocket callback is a ws or wss URL with a host, such as wss://example.com/events")
	}
	switch s.PayloadType {
	case "", hark.PayloadJSON, hark.PayloadCloudEvents, hark.PayloadXML:
	default:
		return hark.BadInput("payloadType", "the payload type of a WebSocket callback is JSON, CLOUDEVENTS or XML")
	}
	upgrade := *s
	upgrade.Endpoint = "http" + strings.TrimPrefix(s.Endpoint, "ws")
	return dr.caller.Check(&upgrade)
}

// Deliver implements delivery.Driver.
func (dr *Driver) Deliver(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (delivery.Receipt, error) {
	message, err := encode(s, d)
	if err == nil {
		message, err = dr.sign(s, d, message)
	}
	if err != nil {
		return delivery.Receipt{StatusCode: delivery.NoAnswer}, err
	}
	for renewed := false; ; {
		l, err := dr.link(s)
		if err != nil {
			return delivery.Receipt{StatusCode: delivery.NoAnswer}, err
		}
		c, refusal := l.connection(ctx)
		if refusal != nil {
			return refusal.receipt, refusal.err
		}
		if c == nil {
			continue // the subscription was changed, and has another link
		}
		o, sent := c.exchange(ctx, d.ID, message)
		if sent && (!o.again || renewed) {
			return o.receipt, o.err
		}
		// The connection ended before the message went out: nobody's failure. Or
		// its token has run out, for which there is one more try, as after a 401.
		renewed = renewed || sent
	}
}

// Request shows the upgrade and, as its body, the message that brings d to s,
// without the signature in it.
func (dr *Driver) Request(s *hark.Subscription, d *hark.Delivery) (*http.Request, error) {
	message, err := encode(s, d)
	if err != nil {
		return nil, err
	}
	req, err := dr.upgrade(s)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(message))
	return req, nil
}

// link returns the link of s as it is now. When s has changed, the old
// connection hangs up once all that it carries is answered.
func (dr *Driver) link(s *hark.Subscription) (*link, error) {
	dr.mu.Lock()
	defer dr.mu.Unlock()
	if dr.closed {
		return nil, errClosed
	}
	l, ok := dr.links[s.ID]
	if ok && l.sub.Version >= s.Version { // an attempt that is older than a change goes the new way
		return l, nil
	}
	if ok {
		l.hangUp("the subscription was changed")
	}
	l = &link{driver: dr, sub: s, standing: -1}
	dr.links[s.ID] = l
	return l, nil
}

// Close hangs up everywhere, and waits for that for some seconds at most.
func (dr *Driver) Close() {
	dr.mu.Lock()
	dr.closed = true
	links := dr.links
	dr.links = nil
	dr.mu.Unlock()
	var all sync.WaitGroup
	for _, l := range links {
		all.Go(l.close)
	}
	all.Wait()
}
