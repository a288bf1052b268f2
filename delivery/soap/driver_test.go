package soap_test

import (
	"context"
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

const (
	envelope11 = "http://schemas.xmlsoap.org/soap/envelope/"
	envelope12 = "http://www.w3.org/2003/05/soap-envelope"
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
	s := deliverytest.Subscription(hark.SOAP, serve(t, func(w http.ResponseWriter, r *http.Request) {
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

// An envelope is a message as a subscriber reads it.
type envelope struct {
	XMLName xml.Name
	Header  *struct {
		Security struct {
			MustUnderstand string `xml:"mustUnderstand,attr"`
			Token          struct {
				Username string
				Password struct {
					Type string `xml:"Type,attr"`
					Text string `xml:",chardata"`
				}
			} `xml:"UsernameToken"`
		} `xml:"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd Security"`
	}
	Body struct {
		Event struct {
			Path    string `xml:"path"`
			Payload string `xml:"payload"`
		} `xml:"urn:hark:v1 event"`
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	for version, want := range map[hark.SOAPVersion]struct{ namespace, contentType, action string }{
		"":          {envelope11, "text/xml; charset=utf-8", `"urn:hark:v1/Deliver"`},
		hark.SOAP11: {envelope11, "text/xml; charset=utf-8", `"urn:hark:v1/Deliver"`},
		hark.SOAP12: {envelope12, `application/soap+xml; charset=utf-8; action="urn:hark:v1/Deliver"`, ""},
	} {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			c, r, err := exchange(t, func(s *hark.Subscription, _ *hark.Event) { s.SOAPVersion = version }, nil)
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
			for name, value := range map[string]string{
				"User-Agent": "hark/test", "Content-Type": want.contentType, "SOAPAction": want.action, "Authorization": "Bearer token-of-the-test",
				"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Idempotency-Key": "",
			} {
				if got := c.header.Get(name); got != value {
					t.Errorf("%s: %q; want %q", name, got, value)
				}
			}
			var e envelope
			if err := xml.Unmarshal(c.body, &e); err != nil {
				t.Fatal(err)
			}
			if c.method != http.MethodPost || e.XMLName != (xml.Name{Space: want.namespace, Local: "Envelope"}) || e.Header != nil || e.Body.Event.Payload != `[{"secretKey":"A<b>"}]` {
				t.Errorf("%s %s", c.method, c.body)
			}
		})
	}
}

// TestUsernameToken shows that user name and password come as WS-Security too,
// and that a subscriber who repeats them, in whatever form, shows neither.
func TestUsernameToken(t *testing.T) {
	t.Parallel()
	const password = `p&<>"ss wörd`
	c, r, err := exchange(t, func(s *hark.Subscription, _ *hark.Event) {
		s.Credentials = hark.Credentials{Type: hark.Basic, Username: `a<b`, Password: password}
	}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, openFault+`p&amp;&lt;&gt;&#34;ss wörd, p&#38;&#60;>"ss wörd, p&amp;amp;&amp;lt;&amp;#x3E;&amp;quot;ss w&amp;#xF6;rd`+closeFault)
	})
	var e envelope
	if err := xml.Unmarshal(c.body, &e); err != nil {
		t.Fatal(err)
	}
	token := e.Header.Security.Token
	if token.Username != `a<b` || token.Password.Text != password || !strings.HasSuffix(token.Password.Type, "#PasswordText") || e.Header.Security.MustUnderstand != "" {
		t.Errorf("%s", c.body)
	}
	if user, pass, ok := (&http.Request{Header: c.header}).BasicAuth(); !ok || user != `a<b` || pass != password {
		t.Errorf("Authorization: %s", c.header.Get("Authorization"))
	}
	if err == nil || err.Error() != "answered 200: Fault Server: [redacted], [redacted], [redacted]" || strings.Count(r.ResponseBody, "[redacted]") != 3 {
		t.Errorf("%v\n%s", err, r.ResponseBody)
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
		"1.2":           {func(s *hark.Subscription) { s.SOAPVersion = hark.SOAP12 }, ""},
		"scheme":        {func(s *hark.Subscription) { s.Endpoint = "ws://example.com" }, "deliveryEndpoint"},
		"version":       {func(s *hark.Subscription) { s.SOAPVersion = "V2" }, "soapVersion"},
		"method":        {func(s *hark.Subscription) { s.Method = hark.Put }, "requestMethod"},
		"payload type":  {func(s *hark.Subscription) { s.PayloadType = hark.PayloadJSON }, "payloadType"},
		"no key for it": {func(s *hark.Subscription) { s.Signature = hark.Ed25519 }, "signature"},
		"credentials":   {func(s *hark.Subscription) { s.Credentials = hark.Credentials{} }, "auth"},
	} {
		s := deliverytest.Subscription(hark.SOAP, "https://example.com/hook")
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
