package receiver_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	"github.com/hark-events/hark/delivery/grpc"
	"github.com/hark-events/hark/delivery/soap"
	"github.com/hark-events/hark/delivery/webhook"
	"github.com/hark-events/hark/delivery/websocket"
	"github.com/hark-events/hark/internal/receiver"
)

// signed is the secret of deliverytest.Subscription.
const signed = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// listen runs a Receiver until the test ends, and gives its address and what it saw.
func listen(t *testing.T, c receiver.Config) (addr string, saw <-chan receiver.Callback) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	callbacks := make(chan receiver.Callback, 16)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- receiver.New(c, func(cb receiver.Callback) { callbacks <- cb }).Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), callbacks
}

// verifier checks signatures with a secret.
func verifier(t *testing.T, secret string, keys ...ed25519.PublicKey) receiver.Verifier {
	t.Helper()
	var secrets []string
	if secret != "" {
		secrets = []string{secret}
	}
	v, err := receiver.NewVerifier(secrets, keys)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// orders say that every subscription stands.
type orders struct{}

func (orders) Versions(context.Context, []hark.ID) (map[hark.ID]int64, error) { return nil, nil }
func (orders) Standing(context.Context, []hark.ID) (map[hark.ID]int64, error) { return nil, nil }

// A way is one form in which a callback can come.
type way struct {
	name     string
	protocol hark.CallbackProtocol
	scheme   string
	change   func(*hark.Subscription)
}

func ways() []way {
	payload := func(p hark.PayloadType) func(*hark.Subscription) {
		return func(s *hark.Subscription) { s.PayloadType = p }
	}
	return []way{
		{"JSON", hark.HTTP, "http", func(*hark.Subscription) {}},
		{"PUT", hark.HTTP, "http", func(s *hark.Subscription) { s.Method = hark.Put }},
		{"CloudEvent", hark.HTTP, "http", payload(hark.PayloadCloudEvents)},
		{"XML", hark.HTTP, "http", payload(hark.PayloadXML)},
		{"SOAP 1.1", hark.SOAP, "http", func(*hark.Subscription) {}},
		{"SOAP 1.2", hark.SOAP, "http", func(s *hark.Subscription) { s.SOAPVersion = hark.SOAP12 }},
		{"gRPC", hark.GRPC, "grpc", func(*hark.Subscription) {}},
		{"WebSocket", hark.WebSocket, "ws", func(*hark.Subscription) {}},
		{"WebSocket, CloudEvent", hark.WebSocket, "ws", payload(hark.PayloadCloudEvents)},
		{"WebSocket, XML", hark.WebSocket, "ws", payload(hark.PayloadXML)},
	}
}

// deliver makes one attempt in one of the ways with hark's own driver.
func (w way) deliver(t *testing.T, addr string, key ed25519.PrivateKey, d *hark.Delivery) (delivery.Receipt, error) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	auth, signer := delivery.NewAuthorizer(client), delivery.Signer{Key: key}
	var driver delivery.Driver
	switch w.protocol {
	case hark.HTTP:
		driver = webhook.New(client, auth, signer, "hark/test")
	case hark.SOAP:
		driver = soap.New(client, auth, signer, "hark/test")
	case hark.GRPC:
		dr := grpc.New(new(net.Dialer).DialContext, nil, auth, signer, "hark/test")
		t.Cleanup(dr.Close)
		driver = dr
	case hark.WebSocket:
		dr := websocket.New(delivery.NewCaller(client, auth, signer, "hark/test"), orders{}, slog.New(slog.DiscardHandler))
		t.Cleanup(dr.Close)
		driver = dr
	}
	path := "/any/path"
	if w.protocol == hark.GRPC {
		path = ""
	}
	s := deliverytest.Subscription(w.protocol, w.scheme+"://"+addr+path)
	w.change(s)
	if key != nil {
		s.Signature, s.SigningSecrets = hark.Ed25519, nil
	}
	if err := driver.Check(s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), s.Timeout)
	defer cancel()
	return driver.Deliver(ctx, s, d)
}

func newDelivery() *hark.Delivery {
	e := deliverytest.Event()
	e.Path, e.Payload = "/ <ä>", hark.JSON(`{"b":1.0, "a":"<&\u0000>"}`)
	return &hark.Delivery{ID: hark.NewID(), Event: e, Attempt: 3}
}

// TestVerified shows that what hark sends is taken in in every way, its
// signature found good and its message shown as the envelope in JSON.
func TestVerified(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range ways() {
		for name, scheme := range map[string]struct {
			verifier receiver.Verifier
			key      ed25519.PrivateKey
			want     string
		}{
			"v1":        {verifier(t, signed), nil, "verified"},
			"v1a":       {verifier(t, "", public), private, "verified"},
			"unchecked": {receiver.Verifier{}, nil, "not checked"},
		} {
			t.Run(w.name+" "+name, func(t *testing.T) {
				t.Parallel()
				addr, saw := listen(t, receiver.Config{
					Verifier: scheme.verifier, HeaderName: "Authorization", HeaderValue: "Bearer token-of-the-test",
				})
				d := newDelivery()
				if r, err := w.deliver(t, addr, scheme.key, d); err != nil {
					t.Fatal(r, err)
				}
				got := <-saw
				want := string(delivery.AppendJSON(nil, d))
				if strings.HasSuffix(w.name, "CloudEvent") {
					want = `"data":{"b":1.0, "a":"<&\u0000>"}}`
					if !strings.Contains(string(got.Message), `"subject":"/ <ä>"`) || !strings.Contains(string(got.Message), `"harkdelivery":"`+d.ID.String()) {
						t.Errorf("%s", got.Message)
					}
				}
				if got.Protocol != w.protocol || got.Signature != scheme.want || got.Status != 200 || !strings.HasSuffix(string(got.Message), want) {
					t.Errorf("%+v %s\nwant %s", got, got.Message, want)
				}
			})
		}
	}
}

// TestRefused shows that a wrong signature and a wrong credential are refused in every way.
func TestRefused(t *testing.T) {
	t.Parallel()
	const other = "whsec_b3RoZXIgMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk="
	for _, w := range ways() {
		for name, c := range map[string]receiver.Config{
			"signature":  {Verifier: verifier(t, other)},
			"scheme":     {Verifier: verifier(t, "", make(ed25519.PublicKey, ed25519.PublicKeySize))},
			"credential": {HeaderName: "X-API-Key", HeaderValue: "key"},
		} {
			t.Run(w.name+" "+name, func(t *testing.T) {
				t.Parallel()
				addr, saw := listen(t, c)
				r, err := w.deliver(t, addr, nil, newDelivery())
				want := 401
				if w.protocol == hark.GRPC {
					want = 16 // UNAUTHENTICATED
				}
				if err == nil || r.StatusCode != want || delivery.IsPermanent(err) {
					t.Errorf("%+v %v", r, err)
				}
				if got := <-saw; got.Status != 401 || name != "credential" && got.Signature != "no matching signature found" {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}

// TestFails shows that a status reaches hark in every way, and that after as
// many attempts as it is told to fail a delivery is acknowledged.
func TestFails(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			addr, saw := listen(t, receiver.Config{Status: 503, Fail: 2})
			one, other := newDelivery(), newDelivery()
			for i, step := range []struct {
				d      *hark.Delivery
				status int
			}{{one, 503}, {other, 503}, {one, 503}, {one, 200}, {other, 503}, {other, 200}} {
				r, err := w.deliver(t, addr, nil, step.d)
				if (err == nil) != (step.status == 200) || delivery.IsPermanent(err) {
					t.Errorf("step %d: %+v %v", i, r, err)
				}
				if err != nil && !strings.Contains(err.Error()+r.ResponseBody, "told to answer 503") {
					t.Errorf("step %d: %+v %v", i, r, err)
				}
				if got := <-saw; got.Status != step.status {
					t.Errorf("step %d: %+v", i, got)
				}
			}
		})
	}
}
