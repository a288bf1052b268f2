package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/access/oidc"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/internal/telemetry"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/server"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/limit"
	"github.com/hark-events/hark/server/websocket"
	"github.com/hark-events/hark/store"
)

func (c *serveCmd) adminToken() hark.Secret { return hark.Secret(c.AdminToken) }

// newSigner makes what signs callbacks. When the key that seals the Ed25519 key
// is lost, callbacks by HMAC_SHA256 are signed all the same.
func newSigner(key *store.SigningKey, log *slog.Logger) delivery.Signer {
	private, err := key.Open()
	if err != nil {
		log.Error("callbacks with signature ED25519 fail", "err", err)
	}
	return delivery.Signer{Key: private}
}

// issuer is the identity provider of the settings; nil: there is none.
func (c *serveCmd) issuer(client *http.Client) access.Issuer {
	if c.OIDCIssuer == "" {
		return nil
	}
	return oidc.New(oidc.Config{
		URL: c.OIDCIssuer, Audience: c.OIDCAudience, IdentityClaim: c.OIDCIdentityClaim, RolesClaim: c.OIDCRolesClaim,
	}, client)
}

// broker makes the broker of the setting.
func (c *serveCmd) broker(log *slog.Logger) (pubsub.Broker, error) {
	if c.RedisURL == "" {
		return pubsub.NewLocal(), nil
	}
	redis.SetLogger(redisLog{log})
	b, err := pubsub.NewRedis(c.RedisURL, log, pubsub.Config{})
	if err != nil {
		return nil, usageError{fmt.Errorf("--redis-url (HARK_REDIS_URL): %w", err)}
	}
	return b, nil
}

// limits are those of streams.
func (c *serveCmd) limits() audience.Limits {
	return audience.Limits{
		Streams: c.MaxStreams, Identity: c.MaxIdentityStreams, Project: c.MaxProjectStreams, Operations: c.MaxOperations,
		MessageBytes: c.MaxMessageBytes, MessageRate: c.MaxMessageRate,
	}
}

// limiter makes the limiter of the settings; done closes what it needs.
func (c *serveCmd) limiter(m *telemetry.Metrics, log *slog.Logger) (l *limit.Limiter, done func(), err error) {
	conf := limit.Config{
		Rates: limit.Rates{Identity: c.RateIdentity, Address: c.RateAddress}, Refused: m.Limited, Log: log,
	}
	if c.RedisURL == "" {
		return limit.New(conf), func() {}, nil
	}
	shared, err := limit.NewRedis(c.RedisURL)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--redis-url (HARK_REDIS_URL): %w", err)}
	}
	conf.Shared = shared
	return limit.New(conf), func() { _ = shared.Close() }, nil
}

// notes are those of a broker that has any.
func notes(b pubsub.Broker) websocket.Notes {
	n, _ := b.(websocket.Notes)
	return n
}

// closeTraces sends what is left of them.
func closeTraces(ctx context.Context, t *telemetry.Traces, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.Warn("the last traces were not sent", "err", err)
	}
}

// redisLog takes what the Redis client would print between the lines of the
// log. Outages are told by the broker, once each; this is the detail.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "redis", "detail", fmt.Sprintf(format, v...))
}

// checks are those of readiness.
func (c *serveCmd) checks(st *store.Store, b pubsub.Broker) []server.Check {
	checks := []server.Check{{Name: "database", Run: st.Ping}, {Name: "migrations", Run: st.Migrated}}
	if c.RedisURL != "" {
		checks = append(checks, server.Check{Name: "redis", Run: b.Ping})
	}
	return checks
}

// showToken shows the admin token of the first start: on stderr, never in the log.
func showToken(std stdio, token string) {
	if token != "" {
		fmt.Fprintf(std.err, "\n  admin token %s\n              (made now and shown only once: keep it)\n", token)
	}
}

// welcome tells where hark listens.
func (c *serveCmd) welcome(std stdio, log *slog.Logger, addr string) {
	log.Info("listening", "addr", addr)
	if c.Has("api") {
		scheme := "http"
		if c.TLSCert != "" {
			scheme = "https"
		}
		fmt.Fprintf(std.err, "\n  hark        %[1]s://%[2]s\n  playground  %[1]s://%[2]s/playground\n\n", scheme, addr)
	}
}
