package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/hark-events/hark"
)

// origin tells where a request came from: the address of the connection, or,
// where that is a trusted proxy, the last one in X-Forwarded-For that is none.
func (s *Server) origin(r *http.Request) hark.Origin {
	o := hark.Origin{UserAgent: cut(r.UserAgent(), hark.MaxName)}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return o // not a connection over TCP
	}
	address := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(address); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break // nobody vouches for what is before it
		}
		address = hop.Unmap()
	}
	o.Address = address.WithZone("").String()
	return o
}

func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.conf.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// cut gives at most n characters of s, as UTF-8.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}
