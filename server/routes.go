package server

import (
	"net/http"
	"strings"

	"github.com/hark-events/hark/server/cloudevents"
	"github.com/hark-events/hark/server/graphqlhttp"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/projectevents"
	"github.com/hark-events/hark/server/websocket"
	"github.com/hark-events/hark/server/wire"
)

// routes is every route by its path; methods are each handler's own, so that a
// wrong one is answered in the JSON form.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	if s.conf.Schema != nil {
		s.api(mux)
	}
	mux.Handle("/metrics", method(http.MethodGet, s.conf.Metrics))
	mux.Handle("/healthz", method(http.MethodGet, http.HandlerFunc(s.healthz)))
	mux.Handle("/readyz", method(http.MethodGet, http.HandlerFunc(s.readyz)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		wire.Refuse(w, r, http.StatusNotFound, "there is nothing at this path")
	})
	return mux
}

// api is what callers use.
func (s *Server) api(mux *http.ServeMux) {
	c := s.conf
	executor := operation.NewExecutor(c.Schema, c.Guard, c.Introspection, c.Log)
	mux.Handle("/graphql", upgrade(
		s.stream(websocket.New(executor, s.groups, c.Access, s.audience, c.Notes, s.allowed, &s.poller, c.Log)),
		graphqlhttp.New(executor, s.groups, c.Access, s.audience, &s.poller)))
	mux.Handle("/api/v1/events", method(http.MethodPost, cloudevents.New(c.Publisher, c.Projects, c.Access, c.Log)))
	mux.Handle("/api/v1/events/subscribe/project-events",
		method(http.MethodPost, s.stream(projectevents.New(c.ProjectEvents, s.groups, c.Access, s.audience, &s.poller, c.Log))))
	mux.Handle("/api/v1/auth/universal-auth/login", method(http.MethodPost, http.HandlerFunc(s.login)))
	mux.Handle("/api/v1/auth/token/renew", method(http.MethodPost, http.HandlerFunc(s.renew)))
	mux.Handle("/api/v1/auth/token/revoke", method(http.MethodPost, http.HandlerFunc(s.revoke)))
	mux.Handle("/soap/hark.wsdl", method(http.MethodGet, c.WSDL))
	mux.Handle("/.well-known/hark/jwks.json", method(http.MethodGet, c.JWKS))
	mux.Handle("/playground", method(http.MethodGet, c.Playground))
	mux.Handle("/playground/", method(http.MethodGet, c.Playground))
}

// upgrade tells WebSocket handshakes from other requests.
func upgrade(socket, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			socket.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// method lets one method pass, and HEAD where that is GET.
func method(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == name || r.Method == http.MethodHead && name == http.MethodGet {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", name)
		wire.Refuse(w, r, http.StatusMethodNotAllowed, "this path answers "+name)
	})
}

// stream refuses new streams while hark drains.
func (s *Server) stream(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining() {
			w.Header().Set("Retry-After", "1")
			wire.Refuse(w, r, http.StatusServiceUnavailable, "this node is stopping: connect again")
			return
		}
		h.ServeHTTP(w, r)
	})
}
