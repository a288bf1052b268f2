package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// lookup is a resolver that asks a DNS server of the test's own, which gives
// the next of answers (IPv4) for each name and the last one for good.
func lookup(t *testing.T, answers ...[4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return // closed
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
					Body:   &dnsmessage.AResource{A: answers[0]},
				}}
				answers = answers[min(1, len(answers)-1):]
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// server counts the connections that reach it.
func server(t *testing.T, h http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var reached atomic.Int32
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			reached.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, &reached
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func get(t *testing.T, p *Policy, conf *tls.Config, url string) (string, error) {
	t.Helper()
	c := p.Client(conf)
	defer c.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

var loopback = [4]byte{127, 0, 0, 1}

func TestDial(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		allow   []string
		host    string
		refused string // empty: reached
	}{
		"address":                       {nil, "127.0.0.1", "address 127.0.0.1 is loopback"},
		"address, allowed":              {[]string{"127.0.0.0/8"}, "127.0.0.1", ""},
		"mapped address":                {nil, "[::ffff:127.0.0.1]", "IPv4 written as IPv6"},
		"name with a private address":   {nil, "hook.test", "address 127.0.0.1 of host hook.test is loopback: allow it with HARK_DELIVERY_ALLOW"},
		"name, its address allowed":     {[]string{"127.0.0.1"}, "hook.test", ""},
		"name, allowed":                 {[]string{"hook.test"}, "hook.test", ""},
		"name, allowed with a root dot": {[]string{"hook.test"}, "hook.test.", ""},
		"another name allowed":          {[]string{"other.test"}, "hook.test", "of host hook.test is loopback"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, reached := server(t, hello)
			p := policy(t, tt.allow...)
			p.resolver = lookup(t, loopback)
			_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
			body, err := get(t, p, nil, "http://"+tt.host+":"+port)
			if tt.refused == "" {
				if err != nil || body != "hello" {
					t.Errorf("got %q, %v", body, err)
				}
				return
			}
			if _, ok := errors.AsType[*RefusedError](err); !ok || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("got %v, want %s", err, tt.refused)
			}
			if n := reached.Load(); n != 0 {
				t.Errorf("%d connections reached the server", n)
			}
		})
	}
}

// TestRebinding has a name that is public when it is asked for first, as a check
// before the dial would, and private when it is dialled.
func TestRebinding(t *testing.T) {
	t.Parallel()
	s, reached := server(t, hello)
	p := policy(t)
	p.resolver = lookup(t, [4]byte{93, 184, 215, 14}, loopback)
	if a, err := p.resolver.LookupHost(t.Context(), "rebind.test"); err != nil || a[0] != "93.184.215.14" {
		t.Fatalf("first answer %v, %v", a, err)
	}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	_, err := p.DialContext(t.Context(), "tcp", "rebind.test:"+port)
	if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.Addr.String() != "127.0.0.1" {
		t.Errorf("got %v", err)
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections reached the server", n)
	}
}

func TestDialTCPOnly(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "unix", "ip4:icmp", ""} {
		if conn, err := policy(t, "0.0.0.0/0").DialContext(t.Context(), network, "127.0.0.1:9"); err == nil {
			conn.Close()
			t.Errorf("%q: dialled", network)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	inside, reached := server(t, hello)
	s, _ := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, http.StatusFound) })
	c := policy(t, "127.0.0.1").Client(nil)
	defer c.CloseIdleConnections()
	resp, err := c.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || reached.Load() != 0 {
		t.Errorf("status %d, followed %d times", resp.StatusCode, reached.Load())
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		version uint16
		ok      bool
	}{"1.1": {tls.VersionTLS11, false}, "1.2": {tls.VersionTLS12, true}, "1.3": {tls.VersionTLS13, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tt.version}
			s.EnableHTTP2 = tt.ok                          // it refuses old versions by itself
			s.Config.ErrorLog = log.New(io.Discard, "", 0) // of failed handshakes
			s.StartTLS()
			defer s.Close()
			roots := x509.NewCertPool()
			roots.AddCert(s.Certificate())
			proto, err := get(t, policy(t, "127.0.0.1"), &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}, s.URL)
			if tt.ok != (err == nil) || tt.ok && proto != "HTTP/2.0" {
				t.Errorf("got %q, %v", proto, err)
			}
		})
	}
}

// TestProxyIsIgnored: a proxy of the environment would make the connection itself.
func TestProxyIsIgnored(t *testing.T) {
	t.Parallel()
	if policy(t).Client(nil).Transport.(*http.Transport).Proxy != nil {
		t.Error("the client asks for a proxy")
	}
}
