package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/limit"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/stream"
)

// Limits of a connection.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeader      = 64 << 10         // bytes
	pingInterval   = 15 * time.Second // of HTTP/2, when nothing is heard
	pongTimeout    = 10 * time.Second
	defaultDrain   = 30 * time.Second
	maxRequestBody = 1 << 20 // bytes
)

// A Server answers HTTP. It is an http.Handler; Serve adds the connections' limits and their end.
type Server struct {
	conf    Config
	handler http.Handler
	open    sync.WaitGroup // requests

	audience *audience.Audience // streams, which outlive their requests
	groups   *stream.Groups
	poller   socket.Poller // of connections that are no longer net/http's
}

// New makes a Server. It starts nothing.
func New(c Config) *Server {
	if c.DrainTimeout == 0 {
		c.DrainTimeout = defaultDrain
	}
	if c.Groups == nil {
		c.Groups = stream.NewGroups()
	}
	if c.Limiter == nil {
		c.Limiter = limit.New(limit.Config{})
	}
	s := &Server{conf: c, audience: audience.New(c.Limits), groups: c.Groups}
	s.handler = s.middleware(s.routes())
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Audience tells how many streams are open, and how often each limit was met.
func (s *Server) Audience() (open int, met map[audience.Limit]uint64) { return s.audience.Stats() }

// Drain tells every stream to end so that its client comes back elsewhere, and
// /readyz to say no. It returns at once.
func (s *Server) Drain() { s.audience.Drain() }

func (s *Server) draining() bool { return s.audience.Draining() }

// Serve answers on ln until ctx ends, then drains: streams are told to come
// back, requests under way are finished, and after DrainTimeout what is left is cut.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(s.conf.H2C)
	hs := &http.Server{
		Handler:           s,
		Protocols:         &protocols,
		TLSConfig:         s.conf.TLS,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: pingInterval, PingTimeout: pongTimeout},
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.conf.Log.Handler(), slog.LevelDebug), // broken handshakes and the like
	}
	if _, ok := ln.(syscall.Conn); ok { // else its connections are none of the system's
		go func() {
			if err := s.poller.Run(base); err != nil {
				s.conf.Log.LogAttrs(base, slog.LevelWarn, "each connection waits by itself", slog.Any("err", err))
			}
		}()
	}
	ended := make(chan error, 1)
	go func() {
		if s.conf.TLS != nil {
			ended <- hs.ServeTLS(ln, "", "")
			return
		}
		ended <- hs.Serve(ln)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.Drain()
	limit, cancel := context.WithTimeout(base, s.conf.DrainTimeout)
	defer cancel()
	err := hs.Shutdown(limit)
	if !s.wait(limit) || err != nil {
		cut()
		return errors.Join(errors.New("drain: requests were cut that took longer than the drain timeout"), hs.Close())
	}
	return nil
}

// wait waits for all requests, those too that Shutdown does not know of.
func (s *Server) wait(ctx context.Context) bool {
	done := make(chan struct{})
	go func() {
		s.open.Wait()
		s.audience.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
