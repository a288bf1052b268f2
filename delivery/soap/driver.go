// Package soap is the driver for callbacks by SOAP 1.1 and 1.2.
package soap

import (
	"context"
	"fmt"
	"net/http"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

var _ delivery.Driver = (*Driver)(nil)

// A Driver calls the operation Deliver of the WSDL, signed as in Standard Webhooks.
type Driver struct{ caller *delivery.Caller }

// New makes a Driver. Its arguments are those of delivery.NewCaller.
func New(client *http.Client, auth *delivery.Authorizer, signer delivery.Signer, userAgent string) *Driver {
	return &Driver{delivery.NewCaller(client, auth, signer, userAgent)}
}

// Check implements delivery.Driver.
func (dr *Driver) Check(s *hark.Subscription) error {
	switch s.SOAPVersion {
	case "", hark.SOAP11, hark.SOAP12:
	default:
		return hark.BadInput("soapVersion", "the SOAP version is V1_1 or V1_2")
	}
	switch s.PayloadType {
	case "", hark.PayloadXML:
	default:
		return hark.BadInput("payloadType", "the payload type of a SOAP callback is XML")
	}
	if s.Method != "" {
		return hark.BadInput("requestMethod", "a SOAP callback is always a POST: leave out the request method")
	}
	return dr.caller.Check(s)
}

// Request builds the request that brings d to s, signed now but without the
// credentials that go into a header and without context: Deliver adds those, a
// preview shows it as it is.
func (dr *Driver) Request(s *hark.Subscription, d *hark.Delivery) (*http.Request, error) {
	v := versionOf(s)
	header := make(http.Header, 16) // keys in the case in which they go out
	v.describe(header)
	return dr.caller.Request(s, d, http.MethodPost, header, appendEnvelope(nil, v, s, d))
}

// Deliver implements delivery.Driver. A Fault is a failure that is tried again,
// whomever it blames: a subscriber that is deployed wrongly blames the sender too.
func (dr *Driver) Deliver(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (delivery.Receipt, error) {
	req, err := dr.Request(s, d)
	if err != nil {
		return delivery.Receipt{StatusCode: delivery.NoAnswer}, err
	}
	a, err := dr.caller.Call(ctx, s, req)
	if err != nil {
		return delivery.Receipt{StatusCode: delivery.NoAnswer}, err
	}
	body := toUTF8(a.Body)
	r := a.Receipt()
	r.ResponseBody = delivery.Text(redact(s, a, body), delivery.MaxResponseBody)
	return r, judge(s, a, body)
}

// maxFault bounds the words of a Fault, in bytes.
const maxFault = 512

// judge says what an answer with body means.
func judge(s *hark.Subscription, a *delivery.Answer, body string) error {
	f, whole := findFault(body)
	if f != nil {
		err := a.Failure // which may be for good
		if err == nil {
			err = delivery.Aborted(a.Header, fmt.Errorf("answered %d", a.Status))
		}
		return fmt.Errorf("%w: %s", err, delivery.Text(redact(s, a, f.String()), maxFault))
	}
	if a.Failure == nil && a.Broken != nil && !whole { // a Fault may have been on its way
		return fmt.Errorf("answered %d: %w", a.Status, a.Broken)
	}
	return a.Failure
}

// redact takes out what was sent: the credentials in the header, and the
// password in the UsernameToken.
func redact(s *hark.Subscription, a *delivery.Answer, text string) string {
	return delivery.Redact(a.Redact(text), s.Credentials.Password.Reveal())
}
