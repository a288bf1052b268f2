package webhook_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

type call struct {
	method string
	header http.Header
	body   []byte
}

// exchange makes one callback and returns what the subscriber saw.
func exchange(t *testing.T, change func(*hark.Subscription, *hark.Event), answer http.HandlerFunc) (call, delivery.Receipt, error) {
	t.Helper()
	calls := make(chan call, 1)
	s := deliverytest.Subscription(hark.HTTP, serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- call{r.Method, r.Header, body}
		if answer != nil {
			answer(w, r)
		}
	}))
	event := deliverytest.Event()
	if change != nil {
		change(s, event)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	ctx = delivery.WithTraceparent(ctx, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r, err := newDriver(t, &http.Transport{}, nil).Deliver(ctx, s, deliverytest.Delivery(s, event))
	return <-calls, r, err
}

func TestRequest(t *testing.T) {
	t.Parallel()
	c, r, err := exchange(t, nil, nil)
	if err != nil || r.StatusCode != 200 {
		t.Fatal(r, err)
	}
	verifier, err := standardwebhooks.NewWebhook("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(c.body, c.header); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		"User-Agent": "hark/test", "Content-Type": "application/json", "Authorization": "Bearer token-of-the-test",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Idempotency-Key": "",
	} {
		if got := c.header.Get(name); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	if c.method != http.MethodPost {
		t.Errorf("method %s", c.method)
	}
	if !json.Valid(c.body) || !strings.HasSuffix(string(c.body), `"payload":[{"secretKey":"A<b>"}]}`) {
		t.Errorf("body %s", c.body)
	}
}

func TestCloudEvent(t *testing.T) {
	t.Parallel()
	c, _, err := exchange(t, func(s *hark.Subscription, e *hark.Event) {
		s.PayloadType, s.Method, e.Path = hark.PayloadCloudEvents, hark.Put, `/ä "1%`
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ce-specversion": "1.0", "ce-type": "secret:update", "ce-source": "/projects/default/secret-manager",
		"ce-subject": "/%C3%A4%20%221%25", "ce-harkproject": "default", "ce-harksequence": "42",
		"ce-harkenvironment": "staging", "ce-harkdelivery": c.header.Get("webhook-id"), "Content-Type": "application/json",
	} {
		if got := c.header.Get(name); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	if c.method != http.MethodPut || string(c.body) != `[{"secretKey":"A<b>"}]` {
		t.Errorf("%s %s", c.method, c.body)
	}
}

func TestXML(t *testing.T) {
	t.Parallel()
	c, _, err := exchange(t, func(s *hark.Subscription, _ *hark.Event) { s.PayloadType = hark.PayloadXML }, nil)
	if err != nil {
		t.Fatal(err)
	}
	var event struct {
		XMLName xml.Name `xml:"urn:hark:v1 event"`
		Payload string   `xml:"payload"`
	}
	if err := xml.Unmarshal(c.body, &event); err != nil || event.Payload != `[{"secretKey":"A<b>"}]` {
		t.Errorf("%+v, %v", event, err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status          int
		header, value   string
		words           string // empty: acknowledged
		permanent, gone bool
		retryAfter      time.Duration
	}{
		"any 2xx":           {status: 299},
		"redirect":          {status: 307, header: "Location", value: "http://other.test/x?secret=1", words: "answered 307: redirect to http://other.test not followed"},
		"redirect nowhere":  {status: 304, words: "answered 304: redirect not followed"},
		"gone":              {status: 410, words: "answered 410", permanent: true, gone: true},
		"abort":             {status: 500, header: "webhook-delivery", value: "abort-message", words: "answered 500, abort-message", permanent: true},
		"seconds to wait":   {status: 429, header: "Retry-After", value: "120", words: "answered 429", retryAfter: 2 * time.Minute},
		"date in the past":  {status: 503, header: "Retry-After", value: "Wed, 21 Oct 2015 07:28:00 GMT", words: "answered 503"},
		"nonsense to wait":  {status: 503, header: "Retry-After", value: "-5", words: "answered 503"},
		"abort of a succes": {status: 200, header: "webhook-delivery", value: "abort-message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r, err := exchange(t, nil, func(w http.ResponseWriter, _ *http.Request) {
				if tt.header != "" {
					w.Header().Set(tt.header, tt.value)
				}
				w.WriteHeader(tt.status)
			})
			words := ""
			if err != nil {
				words = err.Error()
			}
			if words != tt.words || delivery.IsPermanent(err) != tt.permanent || delivery.IsGone(err) != tt.gone {
				t.Errorf("error %q, permanent %v, gone %v", words, delivery.IsPermanent(err), delivery.IsGone(err))
			}
			if r.StatusCode != tt.status || r.RetryAfter != tt.retryAfter {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestConnectionIsKept(t *testing.T) {
	t.Parallel()
	remotes := map[string]bool{}
	endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
		remotes[r.RemoteAddr] = true
		_, _ = w.Write(make([]byte, 10_000)) // more than is kept
	})
	driver := newDriver(t, &http.Transport{}, nil)
	s := deliverytest.Subscription(hark.HTTP, endpoint)
	for range 5 {
		if _, err := driver.Deliver(t.Context(), s, deliverytest.Delivery(s, deliverytest.Event())); err != nil {
			t.Fatal(err)
		}
	}
	if len(remotes) != 1 {
		t.Errorf("%d connections for 5 callbacks", len(remotes))
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	driver := newDriver(t, &http.Transport{}, nil)
	for name, tt := range map[string]struct {
		change func(*hark.Subscription)
		field  string
	}{
		"good":          {func(*hark.Subscription) {}, ""},
		"scheme":        {func(s *hark.Subscription) { s.Endpoint = "ftp://example.com" }, "deliveryEndpoint"},
		"no host":       {func(s *hark.Subscription) { s.Endpoint = "http:///hook" }, "deliveryEndpoint"},
		"user in URL":   {func(s *hark.Subscription) { s.Endpoint = "http://me:secret@example.com" }, "deliveryEndpoint"},
		"fragment":      {func(s *hark.Subscription) { s.Endpoint = "http://example.com/#x" }, "deliveryEndpoint"},
		"too long":      {func(s *hark.Subscription) { s.Endpoint = "http://a/" + strings.Repeat("x", 2048) }, "deliveryEndpoint"},
		"method":        {func(s *hark.Subscription) { s.Method = "GET" }, "requestMethod"},
		"payload type":  {func(s *hark.Subscription) { s.PayloadType = hark.PayloadProtobuf }, "payloadType"},
		"no key for it": {func(s *hark.Subscription) { s.Signature = hark.Ed25519 }, "signature"},
		"credentials":   {func(s *hark.Subscription) { s.Credentials = hark.Credentials{} }, "auth"},
	} {
		s := deliverytest.Subscription(hark.HTTP, "https://example.com/hook")
		tt.change(s)
		field := ""
		if err, ok := driver.Check(s).(*hark.Error); ok {
			field = err.Field
		}
		if field != tt.field {
			t.Errorf("%s: refused field %q; want %q", name, field, tt.field)
		}
	}
}

// A connection that switched protocols belongs to the caller: its end no longer
// comes with that of the context.
func TestSwitchedProtocolsDoNotHoldTheAttempt(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	_, r, err := exchange(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		<-release
	})
	if err == nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("%+v, %v", r, err)
	}
}
