package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxURL is the longest URL that CheckURL takes, in characters.
const maxURL = 2048

// CheckURL tells whether raw could be reached: an absolute URL with one of
// schemes (lower case) and a host. It refuses user:password, fragments, white
// space, control characters, more than 2,048 characters, ports other than 1 to
// 65535, addresses that the policy refuses, and localhost. A name is not
// resolved: its address is checked at each dial.
//
// An error is one sentence for whoever entered the URL, and quotes no more of
// it than its host.
func (p *Policy) CheckURL(raw string, schemes ...string) error {
	if utf8.RuneCountInString(raw) > maxURL {
		return errors.New("the URL is longer than 2,048 characters")
	}
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return errors.New("the URL contains white space or an invisible character: percent-encode or remove it")
	}
	if strings.Contains(raw, "#") {
		return errors.New("the URL has a fragment, which is never sent: remove the # and what follows it")
	}
	u, err := url.Parse(raw)
	if err != nil { // its text would show the URL, and what is secret in it
		return errors.New("the URL cannot be read: write it as scheme://host/path, a port as a number and an IPv6 address in brackets")
	}
	if !slices.Contains(schemes, u.Scheme) {
		return fmt.Errorf("the URL must begin with %s://", strings.Join(schemes, ":// or "))
	}
	if u.User != nil {
		return errors.New("the URL contains a user name or a password: give them as credentials instead")
	}
	if u.Hostname() == "" {
		return errors.New("the URL has no host")
	}
	if err := checkPort(u); err != nil {
		return err
	}
	return p.checkHost(u.Hostname())
}

func checkPort(u *url.URL) error {
	if u.Port() == "" && !strings.HasSuffix(u.Host, ":") {
		return nil
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
		return errors.New("the URL's port is not between 1 and 65535")
	}
	return nil
}

func (p *Policy) checkHost(host string) error {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return errors.New("the URL's address has a zone: an address with a zone cannot be reached")
		}
		return p.check(host, ip)
	}
	name := canonical(host)
	if endsInNumber(name) {
		return errors.New("the URL's host is an IPv4 address in an unusual form: write four decimal numbers such as 192.0.2.1")
	}
	if !isName(name) {
		return errors.New("the URL's host is not a host name: use letters, digits, hyphens and dots, and the xn-- form of other letters")
	}
	if (name == "localhost" || strings.HasSuffix(name, ".localhost")) && !p.allowsLocalhost(name) {
		return &RefusedError{Host: host, Kind: "loopback"}
	}
	return nil
}

func (p *Policy) allowsLocalhost(name string) bool {
	return p.hosts[name] || p.allows(netip.IPv6Loopback()) || p.allows(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
}
