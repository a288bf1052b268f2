package egress

import (
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func policy(t testing.TB, allow ...string) *Policy {
	t.Helper()
	p, err := NewPolicy(allow)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOnlyPublicAddresses(t *testing.T) {
	t.Parallel()
	for addr, kind := range map[string]string{
		"8.8.8.8":              "",
		"93.184.215.14":        "",
		"172.32.0.1":           "",
		"2606:4700:4700::1111": "",

		"127.0.0.1":                 "loopback",
		"127.255.0.9":               "loopback",
		"::1":                       "loopback",
		"10.0.0.1":                  "private",
		"172.16.0.1":                "private",
		"172.31.255.255":            "private",
		"192.168.1.1":               "private",
		"fd00:ec2::254":             "private",
		"fc00::1":                   "private",
		"169.254.169.254":           "link-local",
		"fe80::1":                   "link-local",
		"fe80::1%eth0":              "link-local",
		"100.64.0.1":                "shared by a carrier's customers",
		"100.100.100.200":           "shared by a carrier's customers",
		"0.0.0.0":                   "unspecified",
		"0.1.2.3":                   "unspecified",
		"::":                        "unspecified",
		"224.0.0.1":                 "multicast",
		"239.255.255.250":           "multicast",
		"ff02::1":                   "multicast",
		"255.255.255.255":           "broadcast",
		"240.0.0.1":                 "reserved",
		"192.0.0.8":                 "reserved",
		"198.18.0.1":                "reserved",
		"192.88.99.1":               "reserved",
		"fec0::1":                   "reserved",
		"100::1":                    "reserved",
		"5f00::1":                   "reserved",
		"192.0.2.1":                 "for documentation",
		"198.51.100.1":              "for documentation",
		"203.0.113.1":               "for documentation",
		"2001:db8::1":               "for documentation",
		"3fff::1":                   "for documentation",
		"64:ff9b::a00:1":            "NAT64",
		"64:ff9b:1::1":              "NAT64",
		"2002:a00:1::":              "6to4",
		"2001:0:1234::1":            "Teredo",
		"::ffff:10.0.0.1":           "IPv4 written as IPv6",
		"::ffff:8.8.8.8":            "IPv4 written as IPv6",
		"::10.0.0.1":                "IPv4 written as IPv6",
		"168.63.129.16":             "the cloud platform's own",
		"2606:4700:4700::1111%eth0": "reserved",
	} {
		got := ""
		if err := policy(t).check("x.test", netip.MustParseAddr(addr)); err != nil {
			got = err.(*RefusedError).Kind
		}
		if got != kind {
			t.Errorf("%s is %q, want %q", addr, got, kind)
		}
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		allow, host, addr string
		ok                bool
	}{
		"in the CIDR":               {"10.1.0.0/16", "x.test", "10.1.2.3", true},
		"CIDR with host bits":       {"10.1.2.3/16", "x.test", "10.1.9.9", true},
		"outside the CIDR":          {"10.1.0.0/16", "x.test", "10.2.0.1", false},
		"CIDR of IPv6":              {"fd00::/8", "x.test", "fd12::1", true},
		"one address":               {"127.0.0.1", "x.test", "127.0.0.1", true},
		"another address":           {"127.0.0.1", "x.test", "127.0.0.2", false},
		"loopback of IPv6":          {"::1", "x.test", "::1", true},
		"mapped form of it":         {"10.0.0.0/8", "x.test", "::ffff:10.0.0.1", true},
		"link-local with zone":      {"fe80::/10", "x.test", "fe80::1%eth0", true},
		"name":                      {"hook.internal", "hook.internal", "10.0.0.1", true},
		"name in capitals":          {" Hook.Internal. ", "hOOk.internal.", "10.0.0.1", true},
		"same address, other name":  {"hook.internal", "evil.test", "10.0.0.1", false},
		"no subdomain":              {"hook.internal", "a.hook.internal", "10.0.0.1", false},
		"same address, by itself":   {"hook.internal", "10.0.0.1", "10.0.0.1", false},
		"everything":                {"0.0.0.0/0", "x.test", "169.254.169.254", true},
		"of the other family still": {"0.0.0.0/0", "x.test", "::1", false},
	} {
		err := policy(t, tt.allow).check(tt.host, netip.MustParseAddr(tt.addr))
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadEntryIsNamed(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "*.internal", "http://x", "x:80", "10.0.0.0/33", "10.0.0.0/8/8", "::ffff:10.0.0.0/104", "fe80::1%eth0",
		"127.1", "0x7f000001", "256.1.1.1", "a..b", "ü.test", "a b", strings.Repeat("a", 64) + ".test",
	} {
		_, err := NewPolicy([]string{"ok.test", bad})
		if err == nil || !strings.Contains(err.Error(), `"`+bad+`"`) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestRefusedErrorSays(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]*RefusedError{
		"address 10.0.0.1 of host x is private: allow it with HARK_DELIVERY_ALLOW": {Host: "x", Addr: netip.MustParseAddr("10.0.0.1"), Kind: "private"},
		"address 10.0.0.1 is private: allow it with HARK_DELIVERY_ALLOW":           {Host: "10.0.0.1", Addr: netip.MustParseAddr("10.0.0.1"), Kind: "private"},
		"host localhost is loopback: allow it with HARK_DELIVERY_ALLOW":            {Host: "localhost", Kind: "loopback"},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
