package grpc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	"github.com/hark-events/hark/internal/egress"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

func TestMessageAndMetadata(t *testing.T) {
	t.Parallel()
	type call struct {
		event *harkv1.Event
		md    func(string) string
	}
	calls := make(chan call, 1)
	ln := listen(t)
	serve(t, ln, func(ctx context.Context, e *harkv1.Event) (*harkv1.Ack, error) {
		calls <- call{e, header(ctx)}
		return &harkv1.Ack{}, nil
	})
	s := deliverytest.Subscription(hark.GRPC, "grpc://"+ln.Addr().String())
	e := deliverytest.Event()
	e.Actor = "ä"
	d := deliverytest.Delivery(s, e)
	d.Attempt, d.Test = 3, true
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	ctx = delivery.WithTraceparent(ctx, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r, err := newDriver(t, nil).Deliver(ctx, s, d)
	if err != nil || r.StatusCode != int(codes.OK) {
		t.Fatal(r, err)
	}
	c := <-calls
	got := c.event
	if got.GetId() != e.ID.String() || got.GetDeliveryId() != d.ID.String() || got.GetAttempt() != 3 || !got.GetTest() ||
		got.GetProjectId() != e.ProjectID.String() || got.GetSequence() != 42 || got.GetSourceService() != "secret-manager" ||
		got.GetResourceType() != "secret" || got.GetOperationType() != "update" || got.GetEventType() != "secret:update" ||
		got.GetEnvironment() != "staging" || got.GetPath() != "/" || got.GetActor() != "ä" ||
		string(got.GetPayload()) != `[{"secretKey":"A<b>"}]` || got.GetOccurredAt().AsTime().UnixNano() != int64(e.OccurredAt) ||
		got.GetPublishedAt().AsTime().UnixNano() != int64(e.PublishedAt) {
		t.Errorf("the subscriber got %v", got)
	}
	for name, want := range map[string]string{
		"authorization": "Bearer token-of-the-test", "webhook-id": d.ID.String(),
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		if value := c.md(name); value != want {
			t.Errorf("%s: %q; want %q", name, value, want)
		}
	}
	if agent := c.md("user-agent"); !strings.HasPrefix(agent, "hark/test ") {
		t.Errorf("user agent %q", agent)
	}
	verifier, err := standardwebhooks.NewWebhook("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	signed := http.Header{}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		signed.Set(name, c.md(name))
	}
	if err := verifier.Verify(got.GetPayload(), signed); err != nil {
		t.Error(err)
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]struct {
		permanent bool
		words     string
	}{
		codes.FailedPrecondition: {true, "answered FAILED_PRECONDITION"},
		codes.Unimplemented:      {true, "answered UNIMPLEMENTED"},
		codes.Canceled:           {false, "answered CANCELLED"},
		codes.InvalidArgument:    {false, "answered INVALID_ARGUMENT"},
		codes.NotFound:           {false, "answered NOT_FOUND"},
		codes.DeadlineExceeded:   {false, "answered DEADLINE_EXCEEDED"},
		codes.Unauthenticated:    {false, "answered UNAUTHENTICATED"},
		codes.Unavailable:        {false, "answered UNAVAILABLE"},
		codes.Code(99):           {false, "answered the unknown code 99"},
	} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			ln := listen(t)
			serve(t, ln, func(context.Context, *harkv1.Event) (*harkv1.Ack, error) { return nil, status.Error(code, "since ä") })
			r, err := deliver(t, newDriver(t, nil), "grpc://"+ln.Addr().String())
			if err == nil || err.Error() != want.words || delivery.IsPermanent(err) != want.permanent || delivery.IsGone(err) {
				t.Errorf("error %v, permanent %v; want %v", err, delivery.IsPermanent(err), want)
			}
			if r.StatusCode != int(code) || r.ResponseBody != "since ä" {
				t.Errorf("receipt %+v", r)
			}
		})
	}
}

// TestNoGRPC shows that what is no answer of gRPC is not taken for one: a proxy
// that answers 404 while its service is away must not make dead letters.
func TestNoGRPC(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.Config.Protocols = new(http.Protocols)
	web.Config.Protocols.SetUnencryptedHTTP2(true)
	web.Start()
	t.Cleanup(web.Close)
	old := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(old.Close)
	for name, tt := range map[string]struct{ url, says string }{
		"HTTP/2": {web.URL, "404"},
		"HTTP/1": {old.URL, "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dr := newDriver(t, nil)
			r, err := deliver(t, dr, strings.Replace(tt.url, "http", "grpc", 1))
			if err == nil || delivery.IsPermanent(err) || r.StatusCode != delivery.NoAnswer ||
				!strings.HasPrefix(err.Error(), "no gRPC answer: ") || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

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

func certificate(t *testing.T, host string, notAfter time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func TestTLS(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		host    string
		expires time.Time
		unknown bool
		plain   bool
		want    string
	}{
		"good":              {host: "events.test", expires: time.Now().Add(time.Hour)},
		"another host":      {host: "other.test", expires: time.Now().Add(time.Hour), want: "TLS: certificate is for other.test, not events.test"},
		"expired":           {host: "events.test", expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), want: "TLS: certificate expired 2026-01-02"},
		"unknown authority": {host: "events.test", expires: time.Now().Add(time.Hour), unknown: true, want: "TLS: certificate is signed by an unknown authority"},
		"no TLS there":      {host: "events.test", expires: time.Now().Add(time.Hour), plain: true, want: "TLS: the endpoint does not speak it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, roots := certificate(t, tt.host, tt.expires)
			ln := listen(t)
			var options []grpc.ServerOption
			if !tt.plain {
				options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
			}
			serve(t, ln, func(context.Context, *harkv1.Event) (*harkv1.Ack, error) { return &harkv1.Ack{}, nil }, options...)
			if tt.unknown {
				roots = x509.NewCertPool()
			}
			dr := New(func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr != "events.test:443" {
					t.Errorf("dialled %s", addr)
				}
				return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
			}, &tls.Config{RootCAs: roots}, delivery.NewAuthorizer(http.DefaultClient), delivery.Signer{}, "hark/test")
			t.Cleanup(dr.Close)
			_, err := deliver(t, dr, "grpcs://events.test:443")
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
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

func TestCheck(t *testing.T) {
	t.Parallel()
	dr := newDriver(t, nil)
	apiKey := func(name, key string) hark.Credentials {
		return hark.Credentials{Type: hark.APIKey, HeaderName: name, Key: hark.Secret(key)}
	}
	jwt := hark.Credentials{Type: hark.JWT, Token: "token"}
	for name, tt := range map[string]struct {
		endpoint    string
		payload     hark.PayloadType
		credentials hark.Credentials
		field       string
	}{
		"plain":                 {"grpc://events.test:50051", "", jwt, ""},
		"TLS":                   {"grpcs://events.test:443/", hark.PayloadProtobuf, jwt, ""},
		"IPv6":                  {"grpc://[2606:4700::1111]:50051", "", jwt, ""},
		"API key":               {"grpc://events.test:50051", "", apiKey("X-API-KEY", "key"), ""},
		"no port":               {"grpc://events.test", "", jwt, "deliveryEndpoint"},
		"another scheme":        {"http://events.test:80", "", jwt, "deliveryEndpoint"},
		"a path":                {"grpc://events.test:50051/hook", "", jwt, "deliveryEndpoint"},
		"a query":               {"grpc://events.test:50051?a=b", "", jwt, "deliveryEndpoint"},
		"a user":                {"grpc://a:b@events.test:50051", "", jwt, "deliveryEndpoint"},
		"no host":               {"grpc://:50051", "", jwt, "deliveryEndpoint"},
		"too long":              {"grpc://" + strings.Repeat("x", 2048) + ":1", "", jwt, "deliveryEndpoint"},
		"JSON":                  {"grpc://events.test:50051", hark.PayloadJSON, jwt, "payloadType"},
		"name not for metadata": {"grpc://events.test:50051", "", apiKey("X-API!KEY", "key"), "auth.apiKey.headerName"},
		"binary metadata":       {"grpc://events.test:50051", "", apiKey("X-Key-Bin", "key"), "auth.apiKey.headerName"},
		"reserved metadata":     {"grpc://events.test:50051", "", apiKey("grpc-timeout", "key"), "auth.apiKey.headerName"},
		"key not for metadata":  {"grpc://events.test:50051", "", apiKey("X-API-KEY", "kéy"), "auth.apiKey.key"},
	} {
		s := deliverytest.Subscription(hark.GRPC, tt.endpoint)
		s.PayloadType, s.Credentials = tt.payload, tt.credentials
		err := dr.Check(s)
		e, _ := errors.AsType[*hark.Error](err)
		if tt.field == "" && err != nil || tt.field != "" && (e == nil || e.Code != hark.BadUserInput || e.Field != tt.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRequest shows what a preview has to show.
func TestRequest(t *testing.T) {
	t.Parallel()
	s := deliverytest.Subscription(hark.GRPC, "grpcs://events.test:443")
	d := deliverytest.Delivery(s, deliverytest.Event())
	req, err := newDriver(t, nil).Request(s, d)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(req.Body)
	var shown harkv1.Event
	if err != nil || protojson.Unmarshal(text, &shown) != nil || !proto.Equal(&shown, message(d)) {
		t.Errorf("%s, %v", text, err)
	}
	if req.Method != http.MethodPost || req.URL.String() != "grpcs://events.test:443/hark.v1.EventReceiver/Deliver" || !slices.Equal(map[string][]string(req.Header)["webhook-id"], []string{d.ID.String()}) {
		t.Errorf("%s %s %v", req.Method, req.URL, req.Header)
	}
}
