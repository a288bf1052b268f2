package egress

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for raw, want := range map[string]string{ // want "": taken
		"https://example.com":                           "",
		"http://example.com:8080/a?b=c&d=%20":           "",
		"HTTPS://Example.COM./":                         "",
		"https://8.8.8.8/hook":                          "",
		"https://[2606:4700:4700::1111]:8443/":          "",
		"https://xn--bcher-kva.example/ü":               "",
		"https://a_b.example.com:65535":                 "",
		"https://example.com/@user:x":                   "",
		"https://3com.com":                              "",
		"https://0xy.com":                               "",
		"https://a.com/" + strings.Repeat("x", 2048-14): "",

		"https://a.com/" + strings.Repeat("x", 2048-13): "longer than 2,048",
		"":                           "must begin with http:// or https://",
		"example.com/hook":           "must begin with",
		"//example.com":              "must begin with",
		"ftp://example.com":          "must begin with",
		"javascript:alert(1)":        "must begin with",
		"file:///etc/passwd":         "must begin with",
		"https://":                   "no host",
		"https:///path":              "no host",
		"https:example.com":          "no host",
		"https://:443/":              "no host",
		"https://me:hunter2@x.test/": "as credentials instead",
		"https://me@x.test/":         "as credentials instead",
		"https://@x.test/":           "as credentials instead",
		"https://x.test/#hunter2":    "fragment",
		"https://x.test/#":           "fragment",
		"https://x.test/a b":         "white space",
		" https://x.test":            "white space",
		"https://x.test/\r\nX: y":    "white space",
		"https://x.test/\x00":        "invisible",
		"https://x.test/\x7f":        "invisible",
		"https://x.test/\u00a0":      "white space",
		"https://x.test/\u200b":      "invisible",
		"https://x.test/\xff":        "invisible",
		"https://x.test:0/":          "port",
		"https://x.test:65536/":      "port",
		"https://x.test:/":           "port",
		"https://x.test:hunter2/":    "cannot be read",
		"https://x.test:-1/":         "cannot be read",
		"https://x.test/%zz?hunter2": "cannot be read",
		"https://[::1":               "cannot be read",
		"https://x..test/":           "not a host name",
		"https://bücher.example/":    "not a host name",
		"https://１２７.０.０.１/":         "not a host name",
		"https://x,y/":               "not a host name",
		"https://x.test../":          "not a host name",

		"http://127.0.0.1/":               "address 127.0.0.1 is loopback: allow it with HARK_DELIVERY_ALLOW",
		"http://10.1.2.3:80/":             "is private",
		"http://169.254.169.254/latest":   "is link-local",
		"http://[::1]/":                   "is loopback",
		"http://[::ffff:127.0.0.1]/":      "IPv4 written as IPv6",
		"http://[::ffff:7f00:1]/":         "IPv4 written as IPv6",
		"http://[::127.0.0.1]/":           "IPv4 written as IPv6",
		"http://[64:ff9b::7f00:1]/":       "is NAT64",
		"http://[fe80::1%25eth0]/":        "zone",
		"http://[2606:4700::1111%25lo]/":  "zone",
		"http://2130706433/":              "unusual form",
		"http://0177.0.0.1/":              "unusual form",
		"http://0x7f.1/":                  "unusual form",
		"http://0X7F000001/":              "unusual form",
		"http://0x/":                      "unusual form",
		"http://127.1/":                   "unusual form",
		"http://127.0.0.1./":              "unusual form",
		"http://127.0.0.256/":             "unusual form",
		"http://1.2.3.4.5/":               "unusual form",
		"http://example.08/":              "unusual form",
		"http://localhost:9000/":          "host localhost is loopback: allow it with HARK_DELIVERY_ALLOW",
		"http://LocalHost./":              "is loopback",
		"http://app.localhost/":           "is loopback",
		"http://127.0.0.1.localhost/":     "is loopback",
		"http://notlocalhost/":            "",
		"http://localhost.example.com/":   "",
		"http://127.0.0.1.nip.io/hunter2": "", // a name: its address is checked at the dial
	} {
		err := policy(t).CheckURL(raw, "http", "https")
		switch {
		case err == nil && want == "":
		case err == nil || want == "" || !strings.Contains(err.Error(), want):
			t.Errorf("%.60q: %v, want %q", raw, err, want)
		case strings.Contains(err.Error(), secret):
			t.Errorf("%q: the error shows a secret: %v", raw, err)
		}
	}
}

func TestCheckURLAllows(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		allow, raw string
		ok         bool
	}{
		"address":                      {"10.0.0.0/8", "grpc://10.0.0.1:50051", true},
		"another address":              {"10.0.0.0/8", "grpc://192.168.0.1:50051", false},
		"localhost by name":            {"localhost", "ws://localhost:9000", true},
		"localhost by IPv4":            {"127.0.0.0/8", "ws://localhost:9000", true},
		"localhost by IPv6":            {"::1", "ws://app.localhost:9000", true},
		"localhost is not its subtree": {"localhost", "ws://app.localhost:9000", false},
		"unusual forms still refused":  {"127.0.0.0/8", "ws://127.1/", false},
		"other scheme":                 {"127.0.0.0/8", "http://127.0.0.1/", false},
	} {
		if err := policy(t, tt.allow).CheckURL(tt.raw, "ws", "grpc"); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckURLRefusalIsTyped(t *testing.T) {
	t.Parallel()
	err := policy(t).CheckURL("http://10.0.0.1/", "http")
	if _, ok := errors.AsType[*RefusedError](err); !ok {
		t.Errorf("got %T", err)
	}
}

// aton reads an IPv4 address as C's inet_aton does: 1 to 4 numbers in decimal,
// octal or hexadecimal, the last of which fills what is left.
func aton(s string) (netip.Addr, bool) {
	parts := strings.Split(strings.TrimSuffix(s, "."), ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var sum uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil || strings.Contains(part, "_") {
			return netip.Addr{}, false
		}
		if i < len(parts)-1 {
			if n > 255 {
				return netip.Addr{}, false
			}
			n <<= 8 * (3 - i)
		}
		sum += n
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}), true
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://example.com/", "http://2130706433/", "http://0x7f.1", "http://[::1%25lo]:80/", "http://a@b:1/?#",
		"http://0177.0.0.1.", "http://localhost", "https://[::ffff:10.0.0.1]",
	} {
		f.Add(seed)
	}
	p := policy(f)
	f.Fuzz(func(t *testing.T, raw string) {
		if err := p.CheckURL(raw, "http", "https"); err != nil {
			if s := err.Error(); s == "" || strings.ContainsAny(s, "\r\n\x00") {
				t.Errorf("%q: error %q", raw, s)
			}
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q was taken: %v", raw, err)
		}
		if strings.ContainsAny(raw, " \t\r\n\x00#") {
			t.Errorf("%q was taken", raw)
		}
		host := u.Hostname()
		ip, err := netip.ParseAddr(host)
		if err != nil {
			var ok bool
			if ip, ok = aton(host); !ok {
				return
			}
		}
		if ip = ip.Unmap(); !ip.IsGlobalUnicast() || ip.IsPrivate() {
			t.Errorf("%q was taken, though it is %v", raw, ip)
		}
	})
}
