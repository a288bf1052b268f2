package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Explain says in an operator's words why a connection or a request failed.
// during completes "timed out after 15 s", such as "connecting"; took is how
// long it lasted. Neither the URL nor a header is part of the words.
func Explain(err error, during string, took time.Duration) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		switch {
		case dns.IsNotFound:
			return "no such host " + dns.Name
		case dns.IsTimeout:
			return "timed out after " + seconds(took) + " looking up " + dns.Name
		}
		return "no answer from DNS for " + dns.Name + ": " + dns.Err
	}
	if words := explainTLS(err); words != "" {
		return "TLS: " + words
	}
	if n, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && n.Timeout() {
		return "timed out after " + seconds(took) + " " + during
	}
	for _, known := range []struct {
		err   error
		words string
	}{
		{context.Canceled, "cancelled " + during},
		{syscall.ECONNREFUSED, "connection refused"},
		{syscall.ECONNRESET, "connection reset"},
		{syscall.EPIPE, "connection reset"},
		{syscall.EHOSTUNREACH, "no route to host"},
		{syscall.ENETUNREACH, "network unreachable"},
		{io.ErrUnexpectedEOF, "connection closed " + during},
		{io.EOF, "connection closed " + during},
	} {
		if errors.Is(err, known.err) {
			return known.words
		}
	}
	words := bare(err).Error()
	for _, prefix := range []string{"net/http: ", "HTTP/1.x transport connection broken: "} {
		words = strings.TrimPrefix(words, prefix)
	}
	return words
}

func explainTLS(err error) string {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "the endpoint speaks plain HTTP"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the endpoint does not speak it"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason != x509.Expired {
			return "certificate is invalid: " + strings.TrimPrefix(e.Error(), "x509: ")
		}
		if now := time.Now(); now.Before(e.Cert.NotBefore) {
			return "certificate is not valid before " + e.Cert.NotBefore.UTC().Format(time.DateOnly)
		}
		return "certificate expired " + e.Cert.NotAfter.UTC().Format(time.DateOnly)
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return "certificate is for " + subjects(e.Certificate) + ", not " + e.Host
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "certificate is signed by an unknown authority"
	}
	if e, ok := errors.AsType[tls.AlertError](err); ok {
		return strings.TrimPrefix(e.Error(), "tls: ")
	}
	return ""
}

// subjects names up to three of the hosts that c is for.
func subjects(c *x509.Certificate) string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names[:len(names):len(names)], ip.String())
	}
	switch {
	case len(names) == 0 && c.Subject.CommonName == "":
		return "no host"
	case len(names) == 0:
		return c.Subject.CommonName
	case len(names) > 3:
		return strings.Join(names[:3], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}

// bare takes off what net and net/http wrap around an error: a URL, whose query
// may hold secrets, and addresses. What the address guard says stays as it is.
func bare(err error) error {
	for {
		var inner error
		if e, ok := errors.AsType[*url.Error](err); ok {
			inner = e.Err
		} else if e, ok := errors.AsType[*net.OpError](err); ok {
			inner = e.Err
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}

// seconds writes d to a tenth of a second, such as "15 s"; below a second in milliseconds.
func seconds(d time.Duration) string {
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
}
