package egress

import (
	"fmt"
	"net/netip"
)

// A RefusedError is a connection that the Policy does not allow. To try again
// does not help until the policy or the name's address changes.
type RefusedError struct {
	Host string     // that was asked for
	Addr netip.Addr // that it stands for; invalid when it was not resolved
	Kind string     // what keeps the address from being public, such as "private"
}

func (e *RefusedError) Error() string {
	what := fmt.Sprintf("address %s of host %s", e.Addr, e.Host)
	switch {
	case !e.Addr.IsValid():
		what = "host " + e.Host
	case e.Addr.String() == e.Host:
		what = "address " + e.Host
	}
	return fmt.Sprintf("%s is %s: allow it with HARK_DELIVERY_ALLOW", what, e.Kind)
}

// kind says in words why ip is not public.
func kind(ip netip.Addr) string {
	within := func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(ip) }
	switch {
	case ip.Is4In6():
		return "IPv4 written as IPv6"
	case ip.IsLoopback():
		return "loopback"
	case ip.IsPrivate():
		return "private"
	case ip.IsLinkLocalUnicast():
		return "link-local"
	case ip.IsMulticast():
		return "multicast"
	case ip.IsUnspecified(), within("0.0.0.0/8"):
		return "unspecified"
	case within("255.255.255.255/32"):
		return "broadcast"
	case within("100.64.0.0/10"):
		return "shared by a carrier's customers"
	case within("192.0.2.0/24"), within("198.51.100.0/24"), within("203.0.113.0/24"), within("2001:db8::/32"), within("3fff::/20"):
		return "for documentation"
	case within("64:ff9b::/96"), within("64:ff9b:1::/48"):
		return "NAT64"
	case within("2002::/16"):
		return "6to4"
	case within("2001::/32"):
		return "Teredo"
	case within("::/96"):
		return "IPv4 written as IPv6"
	case ip == azurePlatform():
		return "the cloud platform's own"
	}
	return "reserved"
}

func azurePlatform() netip.Addr { return netip.AddrFrom4([4]byte{168, 63, 129, 16}) }
