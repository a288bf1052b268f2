// Package grpc is the driver for callbacks by gRPC.
package grpc

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

var _ delivery.Driver = (*Driver)(nil)

// A Driver calls hark.v1.EventReceiver/Deliver of subscribers. It keeps one
// connection for each endpoint, which all subscriptions to it share.
type Driver struct {
	auth   *delivery.Authorizer
	signer delivery.Signer
	pool   *pool
}

// A Dial connects over TCP; it must be the guarded one, to which names come unresolved.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// New makes a Driver, to be closed. A nil conf means the system's roots; TLS is
// 1.2 or newer anyway. The user agent is such as "hark/1.2.3".
func New(dial Dial, conf *tls.Config, auth *delivery.Authorizer, signer delivery.Signer, userAgent string) *Driver {
	return &Driver{auth: auth, signer: signer, pool: newPool(dial, conf, userAgent)}
}

// Close closes all connections; a call on one of them fails.
func (dr *Driver) Close() { dr.pool.close() }

// Check implements delivery.Driver.
func (dr *Driver) Check(s *hark.Subscription) error {
	if err := checkEndpoint(s.Endpoint); err != nil {
		return err
	}
	if s.PayloadType != "" && s.PayloadType != hark.PayloadProtobuf {
		return hark.BadInput("payloadType", "the payload type of a gRPC callback is PROTOBUF")
	}
	if err := dr.signer.Check(s); err != nil {
		return err
	}
	if err := delivery.CheckCredentials(s.Credentials); err != nil {
		return err
	}
	return checkMetadata(s.Credentials)
}

// Deliver implements delivery.Driver.
func (dr *Driver) Deliver(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (delivery.Receipt, error) {
	none := delivery.Receipt{StatusCode: delivery.NoAnswer}
	to, err := parse(s.Endpoint)
	if err != nil {
		return none, delivery.Permanent(err)
	}
	message, err := encode(d)
	if err != nil {
		return none, delivery.Permanent(err)
	}
	md, err := dr.sign(ctx, s, d)
	if err != nil {
		return none, err // tells what is wrong with the subscription, which may be mended
	}
	started := time.Now()
	for renewed := false; ; renewed = true {
		name, value, err := dr.auth.Header(ctx, s)
		if err != nil {
			return none, err
		}
		if !printable(value) {
			return none, errors.New("the token has characters that gRPC metadata cannot carry")
		}
		md.Set(name, value)
		a := dr.pool.call(metadata.NewOutgoingContext(ctx, md), to, message)
		_, token, _ := strings.Cut(value, " ")
		a.message = delivery.Redact(a.message, value, token)
		if a.code == codes.Unauthenticated && !renewed && dr.auth.Renew(s, value) {
			md = md.Copy() // the connection may still hold the old one
			continue
		}
		return a.judge(ctx, started)
	}
}

// Request shows the call that brings d to s as a request without credentials:
// its metadata as headers, its message as JSON.
func (dr *Driver) Request(s *hark.Subscription, d *hark.Delivery) (*http.Request, error) {
	md, err := dr.sign(context.Background(), s, d)
	if err != nil {
		return nil, err
	}
	text, err := protojson.Marshal(message(d))
	if err != nil {
		return nil, fmt.Errorf("show the event: %w", err)
	}
	to := strings.TrimRight(s.Endpoint, "/") + harkv1.EventReceiver_Deliver_FullMethodName
	req, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(text))
	if err != nil {
		return nil, errors.New("the endpoint is no URL") // without err, which quotes it
	}
	req.Header = http.Header(md)
	return req, nil
}
