package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// allowed tells whether the origin of a request may use the API from a
// browser: none at all, the server's own, or a configured one. WebSockets ask too.
func (s *Server) allowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || s.listed(origin) {
		return true
	}
	// Only the host: behind a proxy hark does not know whether it is https.
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

func (s *Server) listed(origin string) bool {
	return slices.ContainsFunc(s.conf.Origins, func(o string) bool {
		return o == "*" || strings.EqualFold(strings.TrimSuffix(o, "/"), origin)
	})
}

// cors tells browsers what a page of another origin may do. There are no
// cookies, so an origin that is not listed is kept out by its browser alone.
func (s *Server) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, origin := w.Header(), r.Header.Get("Origin")
		h.Add("Vary", "Origin")
		if origin != "" && s.allowed(r) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, WWW-Authenticate")
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
				h.Set("Access-Control-Allow-Headers",
					"Authorization, Content-Type, Accept, Last-Event-ID, Traceparent, Apollo-Require-Preflight, X-Apollo-Operation-Name, X-GraphQL-Event-Stream-Token")
				h.Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
