package grpc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/hark-events/hark/delivery"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

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
