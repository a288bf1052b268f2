package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"

	"github.com/hark-events/hark/internal/certificate"
)

// tls reads the certificate of the settings; nil: there is none.
func (c *serveCmd) tls(log *slog.Logger) (*tls.Config, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	files, err := certificate.Load(c.TLSCert, c.TLSKey, log)
	if err != nil {
		return nil, usageError{fmt.Errorf("--tls-cert, --tls-key (HARK_TLS_CERT, HARK_TLS_KEY): %w", err)}
	}
	return files.Config(), nil
}

// listenGRPC opens the address of gRPC ingestion; nil: there is none.
func (c *serveCmd) listenGRPC(ctx context.Context) (net.Listener, error) {
	if c.GRPCAddr == "" || !c.Has("api") {
		return nil, nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.GRPCAddr)
	if err != nil {
		return nil, fmt.Errorf("--grpc-addr (HARK_GRPC_ADDR): %w", err)
	}
	return ln, nil
}
