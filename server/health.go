package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/hark-events/hark/server/wire"
)

// checkTimeout is how long one check of readiness may take.
const checkTimeout = 2 * time.Second

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	wire.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is the answer of /readyz.
type readiness struct {
	Status string            `json:"status"` // "ready", "not ready" or "draining"
	Checks map[string]string `json:"checks"` // by name: "ok" or "failing"; the log says why
}

// readyz says whether hark can serve: 200, or 503 with what is missing.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	errs := make([]error, len(s.conf.Checks))
	var all sync.WaitGroup
	for i, check := range s.conf.Checks {
		all.Go(func() { errs[i] = check.Run(ctx) })
	}
	all.Wait()
	status, out := http.StatusOK, readiness{Status: "ready", Checks: make(map[string]string)}
	for i, check := range s.conf.Checks {
		out.Checks[check.Name] = "ok"
		if errs[i] != nil {
			status, out.Status, out.Checks[check.Name] = http.StatusServiceUnavailable, "not ready", "failing"
			s.conf.Log.WarnContext(ctx, "not ready", slog.String("check", check.Name), slog.Any("err", errs[i]))
		}
	}
	if s.draining() {
		status, out.Status = http.StatusServiceUnavailable, "draining"
	}
	wire.WriteJSON(w, status, out)
}
