package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hark-events/hark"
)

// A Caller makes callbacks that are HTTP requests, whatever is in them.
type Caller struct {
	transport http.RoundTripper
	auth      *Authorizer
	signer    Signer
	userAgent string
}

// NewCaller makes a Caller. The client must be the guarded one; of it only the
// transport is used, so no redirect is followed and no cookie kept, whatever
// the client says. The user agent is such as "hark/1.2.3".
func NewCaller(client *http.Client, auth *Authorizer, signer Signer, userAgent string) *Caller {
	transport := client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &Caller{transport: transport, auth: auth, signer: signer, userAgent: userAgent}
}

// Check refuses an endpoint, a signature scheme or credentials that no Call
// could use, as Driver.Check does.
func (c *Caller) Check(s *hark.Subscription) error {
	u, err := url.Parse(s.Endpoint)
	switch {
	case len(s.Endpoint) > hark.MaxEndpoint:
		return hark.BadInput("deliveryEndpoint", "the endpoint is longer than %d characters", hark.MaxEndpoint)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return hark.BadInput("deliveryEndpoint", "the endpoint is an http or https URL with a host, such as https://example.com/hooks")
	case u.User != nil:
		return hark.BadInput("deliveryEndpoint", "the endpoint holds a user name: put it into auth.basic")
	case u.Fragment != "":
		return hark.BadInput("deliveryEndpoint", "the endpoint has a fragment, which is never sent: leave out the part from # on")
	}
	if err := c.signer.Check(s); err != nil {
		return err
	}
	return CheckCredentials(s.Credentials)
}

// Request builds the request that brings d to s, signed now as in Standard
// Webhooks but without credentials and context, which Call adds. The header,
// whose keys go out in the case that they have, becomes the request's.
func (c *Caller) Request(s *hark.Subscription, d *hark.Delivery, method string, header http.Header, body []byte) (*http.Request, error) {
	id, now := d.ID.String(), time.Now().Unix()
	signature, err := c.signer.Sign(s, id, now, body)
	if err != nil {
		return nil, err // tells what is wrong with the subscription, which may be mended
	}
	req, err := http.NewRequest(method, s.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, Permanent(errors.New("the endpoint is no URL")) // without err, which quotes it
	}
	req.Header = header
	header["User-Agent"] = []string{c.userAgent}
	header["webhook-id"] = []string{id}
	header["webhook-timestamp"] = []string{strconv.FormatInt(now, 10)}
	header["webhook-signature"] = []string{signature}
	return req, nil
}

// Sign is Signer.Sign for a message on a connection that an Upgrade made.
func (c *Caller) Sign(s *hark.Subscription, id string, timestamp int64, body []byte) (string, error) {
	return c.signer.Sign(s, id, timestamp, body)
}

// Call sends req with the credentials of s, with a new OAuth2 token once more
// after a 401. Its error means that no answer came.
func (c *Caller) Call(ctx context.Context, s *hark.Subscription, req *http.Request) (*Answer, error) {
	a, upgraded, err := c.Upgrade(ctx, s, req)
	if upgraded != nil {
		_ = upgraded.Body.Close() // nobody asked for it
	}
	return a, err
}

// Upgrade is Call for a request that asks for another protocol. If the answer
// is 101, the response is not nil: its body is the connection, to be closed.
func (c *Caller) Upgrade(ctx context.Context, s *hark.Subscription, req *http.Request) (*Answer, *http.Response, error) {
	started := time.Now()
	for renewed := false; ; renewed = true {
		name, value, err := c.auth.Header(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		// Not Set: the name goes out as the subscriber wrote it.
		req.Header[name] = []string{value}
		resp, err := c.send(ctx, req, started)
		if err != nil {
			return nil, nil, err
		}
		_, token, _ := strings.Cut(value, " ")
		sent := []string{value, token}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return &Answer{Status: resp.StatusCode, Header: resp.Header, Failure: judge(resp), sent: sent}, resp, nil
		}
		a := readAnswer(resp, started)
		a.sent = sent
		a.Body = a.Redact(a.Body)
		if a.Status != http.StatusUnauthorized || renewed || !c.auth.Renew(s, value) {
			return a, nil, nil
		}
		req.Header = req.Header.Clone() // the connection may still hold the old one
		if req.Body, err = req.GetBody(); err != nil {
			return nil, nil, fmt.Errorf("send again: %w", err)
		}
	}
}

// Renew is for a subscriber that took s in with a and refuses it later, as when
// an OAuth2 token runs out on an open connection: it tells whether the next Call
// may prove itself otherwise.
func (c *Caller) Renew(s *hark.Subscription, a *Answer) bool {
	return c.auth.Renew(s, a.sent[0])
}

// send sends req and waits for the headers of the answer.
func (c *Caller) send(ctx context.Context, req *http.Request, started time.Time) (*http.Response, error) {
	ctx, during := watch(ctx)
	req = req.WithContext(ctx)
	if traceparent := Traceparent(ctx); traceparent != "" {
		req.Header["traceparent"] = []string{traceparent}
	}
	// Never sent, but tells net/http that it may send again what met a kept
	// connection that the subscriber was closing: webhook-id makes that safe.
	req.Header["Idempotency-Key"] = []string{}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, errors.New(Explain(err, during.String(), time.Since(started)))
	}
	return resp, nil
}

// A phase is how far a request has come, for the words of a time-out.
type phase struct{ atomic.Int32 }

func (p *phase) String() string {
	return [...]string{"connecting", "sending the request", "waiting for headers"}[p.Load()]
}

// watch returns a context whose request tells its phase.
func watch(ctx context.Context) (context.Context, *phase) {
	p := new(phase)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { p.Store(1) },
		WroteRequest: func(httptrace.WroteRequestInfo) { p.Store(2) },
	}), p
}
