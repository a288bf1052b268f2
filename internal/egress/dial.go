package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// dialTimeout ends a dial that nobody waits for any more: http.Transport goes
// on with one after its request has ended. Whoever waits bounds it by context.
const dialTimeout = 30 * time.Second

// DialContext connects to addr, host:port, over TCP. The address is checked
// when it is dialled, after the name was resolved, so a name that changes its
// address meanwhile gains nothing. What the policy refuses is a *RefusedError.
func (p *Policy) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, fmt.Errorf("dial %s: only TCP is allowed", network)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	// The dialer would turn ::ffff:1.2.3.4 into 1.2.3.4 before its Control sees it.
	if ip, err := netip.ParseAddr(host); err == nil {
		if err := p.check(host, ip); err != nil {
			return nil, err
		}
	}
	d := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: p.resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			dialled, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("check the address: %w", err)
			}
			return p.check(host, dialled.Addr())
		},
	}
	conn, err := d.DialContext(ctx, network, addr)
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return nil, refused // net.OpError around it would only repeat the address
	}
	return conn, err
}

// Client makes an HTTP client that reaches what the policy allows: with no
// proxy, no redirect followed, no cookies, and no timeout but the request's
// context. A nil conf means the system's roots; TLS is 1.2 or newer anyway.
// Close its idle connections when it is done with.
func (p *Policy) Client(conf *tls.Config) *http.Client {
	if conf == nil {
		conf = &tls.Config{}
	}
	conf = conf.Clone()
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // one from the environment would resolve names itself
			DialContext:            p.DialContext,
			TLSClientConfig:        conf,
			TLSHandshakeTimeout:    dialTimeout,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           4096,
			MaxIdleConnsPerHost:    256, // a busy subscription keeps its connections
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // bodies are cut short; inflating them has no use
			// A connection whose other side vanished is found by a ping, not by
			// attempts that time out on it one after the other.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
