package websocket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	"github.com/hark-events/hark/internal/egress"
)

func TestUpgradeAndMessage(t *testing.T) {
	t.Parallel()
	type seen struct {
		header http.Header
		text   string
	}
	calls := make(chan seen, 1)
	s := subscription(serve(t, nil, func(p *peer) {
		_, text, err := p.ws.Read(context.Background())
		if err != nil {
			t.Error(err)
		}
		calls <- seen{p.header, string(text)}
		_ = p.wait()
	}))
	e := deliverytest.Event()
	e.Payload = hark.JSON(`"` + strings.Repeat("ä", 40<<10) + `"`) // a long frame
	d := deliverytest.Delivery(s, e)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	dr := newDriver(t, &http.Transport{}, nil, nil)
	go func() {
		_, err := dr.Deliver(ctx, s, d)
		done <- err
	}()
	c := <-calls
	cancel()
	if err := <-done; err == nil || err.Error() != "cancelled waiting for an ack" {
		t.Errorf("error %v", err)
	}
	m := regexp.MustCompile(`^\{"webhooktimestamp":"(\d+)","webhooksignature":"([^"]+)",`).FindStringSubmatch(c.text)
	if m == nil || "{"+c.text[len(m[0]):] != string(delivery.AppendJSON(nil, d)) {
		t.Fatalf("message %.300s", c.text)
	}
	for name, want := range map[string]string{
		"Sec-Websocket-Protocol": "hark.v1", "User-Agent": "hark/test", "Authorization": "Bearer token-of-the-test",
		"Sec-Websocket-Extensions": "",
	} {
		if got := c.header.Get(name); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	verifier, err := standardwebhooks.NewWebhook("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(nil, c.header); err != nil {
		t.Error(err)
	}
	if err := verifier.Verify([]byte("{"+c.text[len(m[0]):]), http.Header{
		"Webhook-Id": {d.ID.String()}, "Webhook-Timestamp": {m[1]}, "Webhook-Signature": {m[2]},
	}); err != nil {
		t.Error(err)
	}
}

// TestRefusedUpgrade shows that it is an attempt with its HTTP status.
func TestRefusedUpgrade(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		status int
		says   string
		final  bool
		after  time.Duration
	}{
		"503": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "full", http.StatusServiceUnavailable)
		}, 503, "answered 503", false, 7 * time.Second},
		"404": {http.NotFound, 404, "answered 404", false, 0},
		"410": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, 410, "answered 410", true, 0},
		"200": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, 200, "answered 200 and did not upgrade to WebSocket", false, 0},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.test/x?y", http.StatusFound)
		}, 302, "answered 302: redirect to https://elsewhere.test not followed", false, 0},
		"no hark.v1": {func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			w.(*hijacked).answered = true
			_, _, _ = ws.Read(context.Background()) // until hark hangs up
			_ = ws.CloseNow()
		}, 101, "the endpoint did not agree to the subprotocol hark.v1", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := subscription(serve(t, tt.answer, func(*peer) { t.Error("upgraded") }))
			r, err := deliver(t, newDriver(t, &http.Transport{}, nil, nil), s)
			if err == nil || err.Error() != tt.says || r.StatusCode != tt.status || delivery.IsGone(err) != tt.final || r.RetryAfter != tt.after {
				t.Errorf("%+v, %v", r, err)
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
	endpoint := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the subscriber was reached") }, func(*peer) {})
	s := subscription(strings.Replace(endpoint, "127.0.0.1", "localhost", 1))
	_, err = deliver(t, newDriver(t, policy.Client(nil).Transport.(*http.Transport), nil, nil), s)
	if err == nil || !strings.Contains(err.Error(), "of host localhost is loopback: allow it with HARK_DELIVERY_ALLOW") {
		t.Errorf("error %v", err)
	}
}

// TestTLS shows that a server that would rather speak HTTP/2 is asked for
// HTTP/1.1, in which the upgrade is, and that its certificate counts.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow() // it may be closed
		(&peer{t: t, ws: ws}).ackAll()
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	policy, err := egress.NewPolicy([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	s := subscription("wss" + server.URL[len("https"):])
	for says, roots := range map[string]*x509.CertPool{
		"": server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, "TLS: certificate is signed by an unknown authority": nil,
	} {
		transport := policy.Client(&tls.Config{RootCAs: roots}).Transport.(*http.Transport)
		_, err := deliver(t, newDriver(t, transport, nil, nil), s)
		if says == "" && err != nil || says != "" && (err == nil || err.Error() != says) {
			t.Errorf("got %v; want %q", err, says)
		}
	}
}
