package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/config"
)

// good are settings that pass.
func good() config.Server {
	return config.Server{
		Database: config.Database{DatabaseURL: "sqlite://hark.db"}, Addr: "127.0.0.1:0",
		Retention: time.Hour, TokenTTL: time.Hour, AuditRetention: time.Hour, DrainTimeout: time.Second,
		Streams: config.Streams{MaxStreams: 20000, MaxIdentityStreams: 10000, MaxProjectStreams: 1000, MaxOperations: 100, MaxMessageBytes: 65536, MaxMessageRate: 50},
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	s := good()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		edit func(*config.Server)
		says string
	}{
		"address":                   {func(s *config.Server) { s.Addr = "8080" }, "HARK_ADDR"},
		"gRPC address":              {func(s *config.Server) { s.GRPCAddr = "nowhere" }, "HARK_GRPC_ADDR"},
		"a certificate without key": {func(s *config.Server) { s.TLSCert = "x" }, "HARK_TLS_KEY"},
		"a key without certificate": {func(s *config.Server) { s.TLSKey = "x" }, "HARK_TLS_CERT"},
		"issuer for everybody":      {func(s *config.Server) { s.OIDCIssuer = "https://id.example.com" }, "HARK_OIDC_AUDIENCE"},
		"audience of nobody":        {func(s *config.Server) { s.OIDCAudience = "hark" }, "HARK_OIDC_ISSUER"},
		"issuer that is no URL":     {func(s *config.Server) { s.OIDCIssuer, s.OIDCAudience = "id.example.com", "hark" }, "HARK_OIDC_ISSUER"},
		"issuer with a query":       {func(s *config.Server) { s.OIDCIssuer, s.OIDCAudience = "https://id.example.com?x", "hark" }, "HARK_OIDC_ISSUER"},
		"identity of no claim": {func(s *config.Server) {
			s.OIDCIssuer, s.OIDCAudience, s.OIDCIdentityClaim, s.OIDCRolesClaim = "https://id.example.com", "hark", "", "roles"
		}, "HARK_OIDC_IDENTITY_CLAIM"},
		"roles of no claim": {func(s *config.Server) {
			s.OIDCIssuer, s.OIDCAudience, s.OIDCIdentityClaim, s.OIDCRolesClaim = "https://id.example.com", "hark", "sub", ""
		}, "HARK_OIDC_ROLES_CLAIM"},
		"negative rate":      {func(s *config.Server) { s.RateIdentity = -1 }, "HARK_RATE_IDENTITY"},
		"rate without end":   {func(s *config.Server) { s.RateAddress = 1 << 30 }, "HARK_RATE_ADDRESS"},
		"short audit log":    {func(s *config.Server) { s.AuditRetention = time.Second }, "HARK_AUDIT_RETENTION"},
		"token of no time":   {func(s *config.Server) { s.TokenTTL = 0 }, "HARK_TOKEN_TTL"},
		"short admin token":  {func(s *config.Server) { s.AdminToken = "short" }, "HARK_ADMIN_TOKEN"},
		"origin with a path": {func(s *config.Server) { s.CORSOrigins = []string{"https://a.example.com/x"} }, "HARK_CORS_ORIGINS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := good()
			tt.edit(&s)
			if err := s.Validate(); err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Error(err)
			}
		})
	}
}

// FuzzValidate: settings of any text pass, or are refused in one line that
// names a setting and shows no secret.
func FuzzValidate(f *testing.F) {
	f.Add("127.0.0.1:1", "redis://:secret@127.0.0.1/0", "https://id.example.com", "https://a.example.com", "postgres://u:secret@h/d")
	f.Add(":", "redis://:secret@%", "%", "\x00", "postgres://u:secret@%zz")
	f.Fuzz(func(t *testing.T, addr, redis, issuer, origin, database string) {
		s := good()
		s.Addr, s.RedisURL, s.OIDCIssuer, s.OIDCAudience, s.CORSOrigins, s.DatabaseURL = addr, redis, issuer, "hark", []string{origin}, database
		err := s.Validate()
		if err == nil {
			return
		}
		if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "HARK_") || strings.Contains(text, ":secret@") {
			t.Fatal(text)
		}
	})
}
