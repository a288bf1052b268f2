package delivery_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hark-events/hark/delivery"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	get := func(err error) error { return &url.Error{Op: "Post", URL: "https://x.test/?key=secret", Err: err} }
	dial := func(err error) error { return get(&net.OpError{Op: "dial", Net: "tcp", Err: err}) }
	for want, err := range map[string]error{
		"connection refused":                                 dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"connection reset":                                   get(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}),
		"no such host x.test":                                dial(&net.DNSError{Err: "no such host", Name: "x.test", IsNotFound: true}),
		"timed out after 15 s looking up x":                  dial(&net.DNSError{Err: "i/o timeout", Name: "x", IsTimeout: true}),
		"timed out after 15 s connecting":                    get(context.DeadlineExceeded),
		"connection closed connecting":                       get(io.EOF),
		"TLS: certificate expired 2026-01-02":                get(&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotAfter: day}}}),
		"TLS: certificate is for a, not b":                   get(x509.HostnameError{Host: "b", Certificate: &x509.Certificate{DNSNames: []string{"a"}}}),
		"TLS: the endpoint speaks plain HTTP":                get(http.ErrSchemeMismatch),
		`malformed HTTP response "hello"`:                    get(errors.New(`net/http: HTTP/1.x transport connection broken: malformed HTTP response "hello"`)),
		"127.0.0.1 is a loopback address":                    dial(errors.New("127.0.0.1 is a loopback address")),
		"TLS: certificate is signed by an unknown authority": get(x509.UnknownAuthorityError{}),
	} {
		if got := delivery.Explain(err, "connecting", 15*time.Second+time.Millisecond); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}
