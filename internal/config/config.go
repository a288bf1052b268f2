// Package config holds hark's settings: each is a flag and an environment variable of the same name.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Database says where the database is and which keys open what it keeps sealed.
type Database struct {
	DatabaseURL      string `help:"sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME." default:"sqlite://hark.db" placeholder:"URL"`
	EncryptionKeyset string `help:"Keyset that seals stored credentials (hark keys new makes one). Default: the key file hark.keys beside the SQLite file; required on PostgreSQL." placeholder:"KEYSET"`
}

// SQLite gives the path of the SQLite file, if that is the database.
func (d Database) SQLite() (path string, ok bool) {
	return strings.CutPrefix(d.DatabaseURL, "sqlite://")
}

// KeyFile is the path of the key file beside the SQLite file.
func (d Database) KeyFile() string {
	path, _ := d.SQLite()
	return filepath.Join(filepath.Dir(path), "hark.keys")
}

// Validate tells which setting is wrong.
func (d Database) Validate() error {
	if _, ok := d.SQLite(); ok {
		return nil
	}
	u, err := url.Parse(d.DatabaseURL)
	switch {
	case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql":
		return errors.New("--database-url (HARK_DATABASE_URL) is not sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME")
	case d.EncryptionKeyset == "":
		return errors.New("--encryption-keyset (HARK_ENCRYPTION_KEYSET) is required on PostgreSQL: make one with hark keys new")
	}
	return nil
}

// Log says how and what to log.
type Log struct {
	LogFormat string `help:"text or json. Default: text on a terminal, else json." enum:",text,json" default:"" placeholder:"FORMAT"`
	LogLevel  string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL"`
}

// Level is LogLevel as slog knows it.
func (l Log) Level() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.LogLevel)) // the enum holds what slog knows
	return level
}

// Streams bounds the streams of a node.
type Streams struct {
	MaxStreams         int `help:"WebSockets and event streams open on this node." default:"20000" placeholder:"N"`
	MaxIdentityStreams int `help:"Of them for one identity." default:"10000" placeholder:"N"`
	MaxProjectStreams  int `help:"Of them for one project by the project-events endpoint." default:"1000" placeholder:"N"`
	MaxOperations      int `help:"Operations at once on one connection." default:"100" placeholder:"N"`
	MaxMessageBytes    int `help:"Bytes of a WebSocket message from a client." default:"65536" placeholder:"N"`
	MaxMessageRate     int `help:"WebSocket messages a second from a client." default:"50" placeholder:"N"`
}

// Validate tells which setting is wrong.
func (s Streams) Validate() error {
	for _, l := range []struct {
		name  string
		value int
	}{
		{"--max-streams (HARK_MAX_STREAMS)", s.MaxStreams},
		{"--max-identity-streams (HARK_MAX_IDENTITY_STREAMS)", s.MaxIdentityStreams},
		{"--max-project-streams (HARK_MAX_PROJECT_STREAMS)", s.MaxProjectStreams},
		{"--max-operations (HARK_MAX_OPERATIONS)", s.MaxOperations},
		{"--max-message-bytes (HARK_MAX_MESSAGE_BYTES)", s.MaxMessageBytes},
		{"--max-message-rate (HARK_MAX_MESSAGE_RATE)", s.MaxMessageRate},
	} {
		if l.value < 1 {
			return fmt.Errorf("%s is %d; it is at least 1", l.name, l.value)
		}
	}
	return nil
}

// Server holds the settings of hark serve.
type Server struct {
	Database
	Log
	Streams

	Addr              string         `help:"HTTP address; port 0 picks a free one." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	RedisURL          string         `help:"redis:// or rediss:// URL of the Redis that carries events between nodes; several hosts, separated by commas, are a cluster. Default: in-process, for a single node." placeholder:"URL"`
	AdminToken        string         `help:"An access token with the role admin, at least 32 characters. Default: one is made at the first start and printed once." placeholder:"TOKEN"`
	Retention         time.Duration  `help:"How long events, held and finished deliveries stay; 0 keeps no event past its last delivery." default:"72h" placeholder:"DURATION"`
	DeliveryAllow     []string       `help:"CIDRs or host names that callbacks and token URLs may reach although they are private, loopback or link-local." placeholder:"CIDR"`
	TokenTTL          time.Duration  `help:"Lifetime of access tokens from universal auth." default:"2h" placeholder:"DURATION"`
	OIDCIssuer        string         `name:"oidc-issuer" help:"Issuer whose JWTs are trusted, as its tokens name it: one claim names the identity, one its roles. Default: none." placeholder:"URL"`
	OIDCAudience      string         `name:"oidc-audience" help:"Audience that these JWTs must be for." placeholder:"TEXT"`
	OIDCIdentityClaim string         `name:"oidc-identity-claim" help:"Claim of these JWTs that names the identity; dots lead into objects." default:"sub" placeholder:"NAME"`
	OIDCRolesClaim    string         `name:"oidc-roles-claim" help:"Claim of these JWTs that names its roles, such as realm_access.roles." default:"roles" placeholder:"NAME"`
	RateIdentity      int            `help:"Requests a second that an identity may make; 0: any number." default:"0" placeholder:"N"`
	RateAddress       int            `help:"Requests a second that an IP address may make; 0: any number." default:"0" placeholder:"N"`
	GRPCAddr          string         `name:"grpc-addr" help:"Address of gRPC ingestion; port 0 picks a free one. Default: none." placeholder:"HOST:PORT"`
	TLSCert           string         `name:"tls-cert" help:"File with the TLS certificate and its chain, in PEM; read again when it changes. Default: no TLS." placeholder:"FILE"`
	TLSKey            string         `name:"tls-key" help:"File with the key of the TLS certificate." placeholder:"FILE"`
	H2C               bool           `name:"h2c" help:"Speak HTTP/2 without TLS too, for a proxy that does."`
	AuditRetention    time.Duration  `help:"How long entries of the audit log stay." default:"2160h" placeholder:"DURATION"`
	TrustedProxies    []netip.Prefix `help:"CIDRs of proxies that are believed about where a request came from (X-Forwarded-For)." placeholder:"CIDR"`
	CORSOrigins       []string       `name:"cors-origins" help:"Origins of browser clients, WebSocket included. Default: the same origin." placeholder:"ORIGIN"`
	Introspection     bool           `help:"Answer introspection to everybody; --no-introspection (false) only to callers with READ_ACCESS." default:"true" negatable:""`
	Role              []string       `help:"What this process does: api, worker or both." enum:"api,worker" default:"api,worker"`
	Migrate           bool           `help:"Bring PostgreSQL to this version's schema first; on SQLite that is always done."`
	DrainTimeout      time.Duration  `help:"How long a SIGTERM waits for streams and attempts to end." default:"30s" placeholder:"DURATION"`
}

// Has tells whether this process has a role.
func (s *Server) Has(role string) bool { return slices.Contains(s.Role, role) }

// minToken is how many characters an admin token has at least.
const minToken = 32

// maxRate is the highest limit of requests a second: above it a bucket has no use.
const maxRate = 100_000

// Validate tells which setting is wrong.
func (s *Server) Validate() error {
	if err := s.Database.Validate(); err != nil {
		return err
	}
	if err := s.Streams.Validate(); err != nil {
		return err
	}
	if s.AdminToken != "" && len(s.AdminToken) < minToken {
		return fmt.Errorf("--admin-token (HARK_ADMIN_TOKEN) has %d characters; at least %d are needed", len(s.AdminToken), minToken)
	}
	if _, port, err := net.SplitHostPort(s.Addr); err != nil || port == "" {
		return errors.New("--addr (HARK_ADDR) is not HOST:PORT")
	}
	if _, port, err := net.SplitHostPort(s.GRPCAddr); s.GRPCAddr != "" && (err != nil || port == "") {
		return errors.New("--grpc-addr (HARK_GRPC_ADDR) is not HOST:PORT")
	}
	if (s.OIDCIssuer == "") != (s.OIDCAudience == "") {
		return errors.New("--oidc-issuer (HARK_OIDC_ISSUER) and --oidc-audience (HARK_OIDC_AUDIENCE) go together: tokens for others must not pass")
	}
	if u, err := url.Parse(s.OIDCIssuer); s.OIDCIssuer != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
		return errors.New("--oidc-issuer (HARK_OIDC_ISSUER) is not https://HOST or https://HOST/PATH")
	}
	if s.OIDCIssuer != "" && (s.OIDCIdentityClaim == "" || s.OIDCRolesClaim == "") {
		return errors.New("--oidc-identity-claim and --oidc-roles-claim (HARK_OIDC_IDENTITY_CLAIM, HARK_OIDC_ROLES_CLAIM) are names of claims, such as sub and roles")
	}
	if s.RateIdentity < 0 || s.RateIdentity > maxRate || s.RateAddress < 0 || s.RateAddress > maxRate {
		return fmt.Errorf("--rate-identity and --rate-address (HARK_RATE_IDENTITY, HARK_RATE_ADDRESS) are from 0 to %d", maxRate)
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return errors.New("--tls-cert (HARK_TLS_CERT) and --tls-key (HARK_TLS_KEY) go together: give both files")
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"--retention (HARK_RETENTION)", s.Retention, 0},
		{"--token-ttl (HARK_TOKEN_TTL)", s.TokenTTL, time.Second},
		{"--audit-retention (HARK_AUDIT_RETENTION)", s.AuditRetention, time.Hour},
		{"--drain-timeout (HARK_DRAIN_TIMEOUT)", s.DrainTimeout, 0},
	} {
		if d.value < d.least {
			return fmt.Errorf("%s is %s; it is at least %s", d.name, d.value, d.least)
		}
	}
	if s.RedisURL != "" {
		first, _, _ := strings.Cut(s.RedisURL, ",") // the others are nodes of its cluster
		if u, err := url.Parse(first); err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Host == "" {
			return errors.New("--redis-url (HARK_REDIS_URL) is not redis://HOST:PORT or rediss://HOST:PORT")
		}
	}
	for _, o := range s.CORSOrigins {
		if u, err := url.Parse(o); err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			return fmt.Errorf("--cors-origins (HARK_CORS_ORIGINS): %q is no origin such as https://app.example.com", o)
		}
	}
	return nil
}

// Client holds the settings of the commands that talk to a server.
type Client struct {
	URL   string `help:"The server." default:"http://127.0.0.1:8080" placeholder:"URL"`
	Token string `help:"Access token." placeholder:"TOKEN"`
}

// Validate tells which setting is wrong.
func (c Client) Validate() error {
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("--url (HARK_URL) is not http://HOST:PORT or https://HOST:PORT")
	}
	return nil
}
