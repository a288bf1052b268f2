package promises

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/hark-events/hark/internal/testkit"
)

// TestTLS: HTTP/2, streams and WebSockets with a certificate, which is read
// again when its files change.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, roots := testkit.CertificateFiles(t, dir)
	n := testkit.Hark(t, "--tls-cert="+cert, "--tls-key="+key)
	secure := strings.Replace(n.URL(), "http:", "https:", 1)
	client := func(roots *x509.CertPool) *http.Client {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	get := func(c *http.Client, method, path, body string, header ...string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), method, secure+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+testkit.AdminToken)
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return c.Do(r)
	}
	c := client(roots)
	resp, err := get(c, http.MethodGet, "/healthz", "")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Error(resp.Proto, resp.Header)
	}

	stream, err := get(c, http.MethodPost, "/api/v1/events/subscribe/project-events", `{"projectId":"default","register":[{"event":"secret:update"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	resp, err = get(c, http.MethodPost, "/api/v1/events", `{"over":"http2"}`,
		"ce-specversion", "1.0", "ce-id", "1", "ce-source", "secret-manager", "ce-type", "secret:update")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	frame := make([]byte, 200)
	read, err := io.ReadAtLeast(stream.Body, frame, 100)
	if err != nil || stream.ProtoMajor != 2 || !strings.Contains(string(frame[:read]), `{"over":"http2"}`) {
		t.Errorf("%s %s %v", stream.Proto, frame[:read], err)
	}

	ws, _, err := websocket.Dial(t.Context(), secure+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"},
		HTTPClient:   &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = ws.Write(t.Context(), websocket.MessageText, []byte(`{"type":"connection_init","payload":{"authorization":"Bearer `+testkit.AdminToken+`"}}`))
	if _, b, err := ws.Read(t.Context()); err != nil || !strings.HasPrefix(string(b), `{"type":"connection_ack"`) {
		t.Errorf("%s %v", b, err)
	}
	_ = ws.CloseNow()

	_, _, next := testkit.CertificateFiles(t, dir)
	eventually(t, "the new certificate", func() bool {
		resp, err := get(client(next), http.MethodGet, "/healthz", "")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	if _, err := get(client(roots), http.MethodGet, "/healthz", ""); err == nil {
		t.Error("the old certificate is still served")
	}

	if err := os.WriteFile(cert, []byte("no certificate"), 0o600); err != nil { // it stays
		t.Fatal(err)
	}
	eventually(t, "the log line of a bad certificate", func() bool {
		resp, err := get(client(next), http.MethodGet, "/healthz", "")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return strings.Contains(n.Log(), "the old one stays")
	})
}

// TestUnencryptedHTTP2: off, unless it is asked for.
func TestUnencryptedHTTP2(t *testing.T) {
	t.Parallel()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &protocols}
	defer tr.CloseIdleConnections()
	for name, tt := range map[string]struct {
		flags []string
		ok    bool
	}{"off": {nil, false}, "asked for": {[]string{"--h2c"}, true}} {
		n := testkit.Hark(t, tt.flags...)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL()+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(r)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
}
