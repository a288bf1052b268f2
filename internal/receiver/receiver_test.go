package receiver_test

import (
	"crypto/ed25519"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/internal/receiver"
)

// TestNoCallback shows that what is no callback is answered so, and shown without a message.
func TestNoCallback(t *testing.T) {
	t.Parallel()
	addr, saw := listen(t, receiver.Config{})
	for name, tt := range map[string]struct {
		method, body string
		header       [2]string
		status       int
		says         string
	}{
		"GET":                   {"GET", "", [2]string{}, 405, "hark listen"},
		"no JSON":               {"POST", "{", [2]string{}, 400, "in JSON"},
		"no XML":                {"POST", "<event/>", [2]string{"Content-Type", "application/xml"}, 400, "urn:hark:v1"},
		"no envelope":           {"POST", "<a/>", [2]string{"SOAPAction", `""`}, 400, "<faultcode>soap:Client</faultcode>"},
		"no envelope of 1.2":    {"POST", "<a/>", [2]string{"Content-Type", "application/soap+xml"}, 400, "<soap:Value>soap:Sender</soap:Value>"},
		"no data":               {"POST", "x", [2]string{"ce-specversion", "1.0"}, 400, "no JSON"},
		"a payload that is not": {"POST", `<event xmlns="urn:hark:v1"><payload>{</payload></event>`, [2]string{"Content-Type", "text/xml"}, 400, "payload"},
		"too long":              {"POST", strings.Repeat("x", 5<<20), [2]string{}, 413, "too long"},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: they share what was seen
			req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+addr, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.header[0] != "" {
				req.Header.Set(tt.header[0], tt.header[1])
			}
			transport := &http.Transport{DisableKeepAlives: true}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(text), tt.says) {
				t.Errorf("%v %d %s", err, resp.StatusCode, text)
			}
			if tt.status != 400 {
				return
			}
			if got := <-saw; got.Status != 400 || got.Message != nil {
				t.Errorf("%+v %s", got, got.Message)
			}
		})
	}
}

// TestFetchKeys gets the keys where hark publishes them.
func TestFetchKeys(t *testing.T) {
	t.Parallel()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		handler http.Handler
		ok      bool
	}{
		"hark's":    {delivery.JWKS(public), true},
		"no set":    {http.NotFoundHandler(), false},
		"no keys":   {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":[]}`) }), false},
		"other key": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":[{"kty":"RSA"}]}`) }), false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			keys, err := receiver.FetchKeys(t.Context(), server.URL)
			if (err == nil) != tt.ok || tt.ok && (len(keys) != 1 || !keys[0].Equal(public)) {
				t.Errorf("%v %v", keys, err)
			}
		})
	}
}

func TestBadSecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "planted", "whsec_planted!"} {
		if _, err := receiver.NewVerifier([]string{secret}, nil); err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
