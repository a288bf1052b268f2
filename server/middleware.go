package server

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
)

// middleware surrounds every request: its id, its one log line, its limits, and what a panic leaves.
func (s *Server) middleware(next http.Handler) http.Handler {
	next = s.cors(s.limited(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.open.Add(1)
		defer s.open.Done()
		start := time.Now()
		record := &wire.Record{ID: hark.NewID().String(), Refused: s.conf.Refused}
		r = r.WithContext(hark.WithOrigin(wire.WithRecord(r.Context(), record), s.origin(r)))
		h := w.Header()
		h.Set("X-Request-Id", record.ID)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // the playground sets its own
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		answer := &answer{ResponseWriter: w}
		if s.conf.Trace != nil {
			traced, id, end := s.conf.Trace(r, route(r.URL.Path))
			r = traced
			if id != "" {
				wire.Note(r.Context(), slog.String("trace", id))
			}
			defer func() { end(answer.status) }()
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxRequestBody)
		defer func() {
			s.recovered(answer, r, recover())
			s.logRequest(r, answer, record, time.Since(start))
		}()
		next.ServeHTTP(answer, r)
	})
}

// limited refuses what an address asks beyond its limit, but what an operator asks.
func (s *Server) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/metrics":
		default:
			if err := s.conf.Limiter.Address(r.Context()); err != nil {
				wire.WriteError(w, r, s.conf.Log, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// route is a path as traces name it: whatever is none of hark's is one.
func route(path string) string {
	switch {
	case path == "/graphql", strings.HasPrefix(path, "/api/v1/events"), strings.HasPrefix(path, "/api/v1/auth/"), path == "/healthz", path == "/readyz", path == "/metrics":
		return path
	}
	return "other"
}

// recovered answers for a handler that panicked: the stack is logged, never shown.
func (s *Server) recovered(w *answer, r *http.Request, p any) {
	if p == nil {
		return
	}
	s.conf.Log.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("request", wire.RequestID(r.Context())),
		slog.Any("err", fmt.Errorf("%v", p)), slog.String("stack", string(debug.Stack())))
	if w.status == 0 {
		wire.WriteError(w, r, s.conf.Log, wire.Panicked())
	}
}

// logRequest writes the request's line: never its query string, which may hold variables.
func (s *Server) logRequest(r *http.Request, w *answer, record *wire.Record, took time.Duration) {
	level := slog.LevelInfo
	switch r.URL.Path {
	case "/healthz", "/readyz", "/metrics":
		level = slog.LevelDebug
	}
	attrs := append([]slog.Attr{
		slog.String("request", record.ID), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Duration("took", took),
		slog.String("remote", hark.OriginFrom(r.Context()).Address), slog.String("userAgent", hark.OriginFrom(r.Context()).UserAgent),
	}, record.Attrs()...)
	s.conf.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// An answer counts what is written, for the log line.
type answer struct {
	http.ResponseWriter
	status int // 0: nothing is written yet
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Hijack hands the connection over: to a stream, whose answer is counted no more.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, brw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil && a.status == 0 {
		a.status = http.StatusOK
	}
	return c, brw, err
}

// Unwrap lets http.ResponseController reach deadlines and Flush.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
