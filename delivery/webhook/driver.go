// Package webhook is the driver for callbacks by HTTP.
package webhook

import (
	"context"
	"net/http"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

var _ delivery.Driver = (*Driver)(nil)

// A Driver makes HTTP callbacks signed as in Standard Webhooks.
type Driver struct{ caller *delivery.Caller }

// New makes a Driver. Its arguments are those of delivery.NewCaller.
func New(client *http.Client, auth *delivery.Authorizer, signer delivery.Signer, userAgent string) *Driver {
	return &Driver{delivery.NewCaller(client, auth, signer, userAgent)}
}

// Check implements delivery.Driver.
func (dr *Driver) Check(s *hark.Subscription) error {
	switch s.Method {
	case "", hark.Post, hark.Put, hark.Patch:
	default:
		return hark.BadInput("requestMethod", "the request method is POST, PUT or PATCH")
	}
	switch s.PayloadType {
	case "", hark.PayloadJSON, hark.PayloadCloudEvents, hark.PayloadXML:
	default:
		return hark.BadInput("payloadType", "the payload type of an HTTP callback is JSON, CLOUDEVENTS or XML")
	}
	return dr.caller.Check(s)
}

// Deliver implements delivery.Driver.
func (dr *Driver) Deliver(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (delivery.Receipt, error) {
	req, err := dr.Request(s, d)
	if err != nil {
		return delivery.Receipt{StatusCode: delivery.NoAnswer}, err
	}
	a, err := dr.caller.Call(ctx, s, req)
	if err != nil {
		return delivery.Receipt{StatusCode: delivery.NoAnswer}, err
	}
	return a.Receipt(), a.Failure
}

// Request builds the request that brings d to s, signed now but without
// credentials and context: Deliver adds those, a preview shows it as it is.
func (dr *Driver) Request(s *hark.Subscription, d *hark.Delivery) (*http.Request, error) {
	header := make(http.Header, 16) // keys in the case in which they go out
	body, err := encode(header, s, d)
	if err != nil {
		return nil, err
	}
	method := string(s.Method)
	if method == "" {
		method = http.MethodPost
	}
	return dr.caller.Request(s, d, method, header, body)
}
