// Package webhook is the driver for callbacks by HTTP.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

var _ delivery.Driver = (*Driver)(nil)

// A Driver makes HTTP callbacks signed as in Standard Webhooks.
type Driver struct {
	transport http.RoundTripper
	auth      *delivery.Authorizer
	signer    delivery.Signer
	userAgent string
}

// New makes a Driver. The client must be the guarded one; of it only the
// transport is used, so no redirect is followed and no cookie kept, whatever
// the client says. The user agent is such as "hark/1.2.3".
func New(client *http.Client, auth *delivery.Authorizer, signer delivery.Signer, userAgent string) *Driver {
	transport := client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &Driver{transport: transport, auth: auth, signer: signer, userAgent: userAgent}
}

// Check implements delivery.Driver.
func (dr *Driver) Check(s *hark.Subscription) error {
	u, err := url.Parse(s.Endpoint)
	switch {
	case len(s.Endpoint) > hark.MaxEndpoint:
		return hark.BadInput("deliveryEndpoint", "the endpoint is longer than %d characters", hark.MaxEndpoint)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return hark.BadInput("deliveryEndpoint", "the endpoint of an HTTP callback is an http or https URL with a host, such as https://example.com/hooks")
	case u.User != nil:
		return hark.BadInput("deliveryEndpoint", "the endpoint holds a user name: put it into auth.basic")
	case u.Fragment != "":
		return hark.BadInput("deliveryEndpoint", "the endpoint has a fragment, which is never sent: leave out the part from # on")
	}
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
	if err := dr.signer.Check(s); err != nil {
		return err
	}
	return delivery.CheckCredentials(s.Credentials)
}

// Deliver implements delivery.Driver.
func (dr *Driver) Deliver(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (delivery.Receipt, error) {
	started := time.Now()
	req, err := dr.Request(s, d)
	if err != nil {
		return delivery.Receipt{StatusCode: delivery.NoAnswer}, err
	}
	for renewed := false; ; renewed = true {
		name, value, err := dr.auth.Header(ctx, s)
		if err != nil {
			return delivery.Receipt{StatusCode: delivery.NoAnswer}, err
		}
		// Not Set: the name goes out as the subscriber wrote it.
		req.Header[name] = []string{value}
		r, err := dr.send(ctx, req, started)
		_, token, _ := strings.Cut(value, " ")
		r.ResponseBody = delivery.Redact(r.ResponseBody, value, token)
		if r.StatusCode != http.StatusUnauthorized || renewed || !dr.auth.Renew(s, value) {
			return r, err
		}
		req.Header = req.Header.Clone() // the connection may still hold the old one
		if req.Body, err = req.GetBody(); err != nil {
			return r, fmt.Errorf("send again: %w", err)
		}
	}
}

// send sends req and judges the answer.
func (dr *Driver) send(ctx context.Context, req *http.Request, started time.Time) (delivery.Receipt, error) {
	ctx, during := watch(ctx)
	req = req.WithContext(ctx)
	if traceparent := delivery.Traceparent(ctx); traceparent != "" {
		req.Header["traceparent"] = []string{traceparent}
	}
	resp, err := dr.transport.RoundTrip(req)
	if err != nil {
		return delivery.Receipt{StatusCode: delivery.NoAnswer}, errors.New(delivery.Explain(err, during.String(), time.Since(started)))
	}
	r := receipt(resp, time.Now())
	return r, judge(resp)
}
