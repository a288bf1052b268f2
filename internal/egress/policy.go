// Package egress guards every connection that hark makes on behalf of others: callbacks and token URLs.
package egress

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"code.dny.dev/ssrf"
)

// A Policy says which addresses may be reached: those of the public internet,
// and what the operator allows beside them. It is safe for concurrent use.
type Policy struct {
	prefixes []netip.Prefix
	hosts    map[string]bool // as canonical gives them
	public   *ssrf.Guardian
	resolver *net.Resolver // nil: the system's
}

// NewPolicy makes the Policy of HARK_DELIVERY_ALLOW. Each entry is a CIDR, an
// IP address or a host name that may be reached although it is private,
// loopback or link-local. A host name stands for itself alone, not for its
// subdomains, and its addresses may be reached by that very name only.
func NewPolicy(allow []string) (*Policy, error) {
	p := &Policy{
		hosts: make(map[string]bool),
		public: ssrf.New(
			ssrf.WithAnyPort(),
			// Azure's metadata and DNS service has an address of the public range.
			ssrf.WithDeniedV4Prefixes(netip.PrefixFrom(azurePlatform(), 32)),
		),
	}
	for _, entry := range allow {
		if err := p.allow(strings.TrimSpace(entry)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Policy) allow(entry string) error {
	if prefix, err := netip.ParsePrefix(entry); err == nil && !prefix.Addr().Is4In6() {
		p.prefixes = append(p.prefixes, prefix.Masked())
		return nil
	}
	if ip, err := netip.ParseAddr(entry); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		p.prefixes = append(p.prefixes, netip.PrefixFrom(ip, ip.BitLen()))
		return nil
	}
	name := canonical(entry)
	if !isName(name) {
		return fmt.Errorf("%q is neither a CIDR such as 10.0.0.0/8, nor an IP address, nor a host name", entry)
	}
	p.hosts[name] = true
	return nil
}

// check refuses ip, which host stands for, unless it is public or allowed.
func (p *Policy) check(host string, ip netip.Addr) error {
	if p.hosts[canonical(host)] || p.allows(ip) || p.public.SafeAddr(ip) == nil {
		return nil
	}
	return &RefusedError{Host: host, Addr: ip, Kind: kind(ip)}
}

func (p *Policy) allows(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for _, prefix := range p.prefixes {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// canonical is a host name in lower case, without the dot of the root.
func canonical(host string) string {
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// isName tells whether a canonical host can be a name in DNS. One that ends in
// a number never is: some resolvers take 127.1 and 0x7f000001 for addresses.
func isName(host string) bool {
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, nameChars) != "" {
			return false
		}
	}
	return !endsInNumber(host)
}

const nameChars = "abcdefghijklmnopqrstuvwxyz0123456789-_"

// endsInNumber is the rule of the URL standard (https://url.spec.whatwg.org):
// such a host is an IPv4 address or nothing.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
