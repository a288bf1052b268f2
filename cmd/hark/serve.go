package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"

	"github.com/99designs/gqlgen/graphql"
	"golang.org/x/sync/errgroup"

	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/console"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/soap"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/internal/config"
	"github.com/hark-events/hark/internal/egress"
	"github.com/hark-events/hark/internal/telemetry"
	"github.com/hark-events/hark/resolvers"
	"github.com/hark-events/hark/server"
	"github.com/hark-events/hark/server/grpcapi"
	"github.com/hark-events/hark/server/limit"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/stream"
	"github.com/hark-events/hark/subscriptions"
)

type serveCmd struct{ config.Server }

// Help shows an example.
func (serveCmd) Help() string {
	return "On one machine it needs nothing else: a SQLite file, a key file beside it, and an admin token that is printed once.\n\nExamples:\n  hark serve\n  HARK_ENCRYPTION_KEYSET=$(cat keyset) hark serve --database-url=postgres://hark@127.0.0.1/hark --redis-url=redis://127.0.0.1:6379 --migrate"
}

// Run serves until the process is told to stop.
func (c *serveCmd) Run(ctx context.Context, std stdio) error {
	if err := c.Server.Validate(); err != nil {
		return usageError{err}
	}
	policy, err := egress.NewPolicy(c.DeliveryAllow)
	if err != nil {
		return usageError{fmt.Errorf("--delivery-allow (HARK_DELIVERY_ALLOW): %w", err)}
	}
	defer runtime.KeepAlive(floor())

	log := newLog(std.err, c.Log)
	st, err := ready(ctx, c.Database, c.Migrate, log)
	if err != nil {
		return err
	}
	err = c.serve(ctx, std, st, policy, log)
	return errors.Join(err, st.Close())
}

// serve builds the house over an open database, runs it, and takes it down in
// the order in which work flows: first what takes work in, then what does it,
// at last what both stand on.
func (c *serveCmd) serve(ctx context.Context, std stdio, st *store.Store, policy *egress.Policy, log *slog.Logger) error {
	// What may fail comes before what is started, or shown only once.
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("--addr (HARK_ADDR): %w", err)
	}
	defer func() { _ = ln.Close() }() // the server has closed it, if it got so far
	tlsConfig, err := c.tls(log)
	if err != nil {
		return err
	}
	grpcListener, err := c.listenGRPC(ctx)
	if err != nil {
		return err
	}
	if grpcListener != nil {
		defer func() { _ = grpcListener.Close() }()
	}
	broker, err := c.broker(log)
	if err != nil {
		return err
	}
	defer func() {
		if err := broker.Close(); err != nil {
			log.Warn("the broker did not close well", "err", err)
		}
	}()

	client := policy.Client(nil)
	defer client.CloseIdleConnections()
	acc := access.New(st, log, access.Config{TokenTTL: c.TokenTTL, Issuer: c.issuer(client), AuditRetention: c.AuditRetention})
	signing, err := st.SigningKey(ctx)
	if err != nil {
		return err
	}
	metrics := telemetry.New()
	traces, err := telemetry.NewTraces(ctx, version())
	if err != nil {
		return usageError{err}
	}
	defer closeTraces(ctx, traces, log)
	callbacks := newCallbacks(policy, client, newSigner(signing, log), st, log)
	var starter events.Starter
	worker := delivery.NewWorker(st, callbacks.Drivers, log, delivery.Config{DrainTimeout: c.DrainTimeout, Observe: traces.Attempt(metrics.Attempt)})
	wake := func() {}
	if c.Has("worker") {
		starter, wake = worker, worker.Wake
	}

	may := authority{acc}
	catalog := events.NewCatalog(st)
	announcer := telemetry.TracedBroker{Broker: broker, Traces: traces, Lag: metrics.Lag}
	hub := stream.NewHub(st, announcer, log, stream.Config{})
	metrics.Hub(hub)
	metrics.State(st.Ent(), log)
	if c.RedisURL != "" {
		metrics.Redis(broker.Ping)
	}
	groups := stream.NewGroups()
	metrics.Groups(groups)
	listener := stream.NewListener(hub, may, store.DefaultProjectID())
	publisher := events.NewPublisher(st, catalog, may, announcer, log, events.Config{Retention: c.Retention, Starter: starter, Observe: metrics.Commit})
	traced := telemetry.TracedPublisher{Publisher: publisher, Traces: traces}
	subs := subscriptions.New(st, may, callbacks.Drivers, log, subscriptions.Config{CheckURL: policy.CheckURL, Wake: wake})
	resolver := &resolvers.Resolver{
		Access: acc, Catalog: catalog, Definitions: events.NewDefinitions(st, catalog, may), Log: events.NewLog(st, may),
		Publisher: traced, Listener: listener, Store: st,
		Subscriptions: subs,
	}
	var schema graphql.ExecutableSchema // none: a worker alone answers its operator
	if c.Has("api") {
		schema = graph.NewExecutableSchema(graph.Config{Resolvers: resolver, Complexity: operation.Complexity()})
	}
	limiter, closeLimiter, err := c.limiter(metrics, log)
	if err != nil {
		return err
	}
	defer closeLimiter()
	limited := limit.Access{Tokens: acc, Limiter: limiter}
	srv := server.New(server.Config{
		Schema: schema, Access: limited, Guard: may, Tokens: may, ProjectEvents: opener{acc, listener, catalog},
		Publisher: traced, Projects: acc, Trace: traces.Request,
		Playground: console.Playground(), WSDL: soap.WSDL(), JWKS: delivery.JWKS(signing.Public), Metrics: metrics.Handler(),
		Groups: groups, Limits: c.limits(), Notes: notes(broker), Checks: c.checks(st, broker),
		TLS: tlsConfig, H2C: c.H2C,
		Refused: acc.NoteRefusal, TrustedProxies: c.TrustedProxies, Limiter: limiter,
		Introspection: c.Introspection, Origins: c.CORSOrigins, DrainTimeout: c.DrainTimeout, Log: log,
	})

	metrics.Audience(srv.Audience)

	made, err := acc.EnsureAdmin(ctx, c.adminToken())
	if err != nil {
		return err
	}
	showToken(std, made.Reveal())

	// What the doors and the worker stand on goes on until both have drained.
	ground, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	var base errgroup.Group
	base.Go(func() error { return acc.Run(ground) })
	base.Go(func() error { return hub.Run(ground) })
	base.Go(func() error { return events.NewRetention(st, log, c.Retention).Run(ground) })
	base.Go(func() error { return subs.Run(ground) })
	base.Go(func() error { return events.NewAlarms(publisher, log).Run(ground) })
	base.Go(func() error { return callbacks.Run(ground) })
	base.Go(func() error { return tidy(ground) })
	base.Go(func() error { return st.KeepSealed(ground, log, keyAudit{st}.sealed) })

	work, workCtx := errgroup.WithContext(ctx)
	if c.Has("worker") {
		work.Go(func() error { return worker.Run(workCtx) })
	}
	if grpcListener != nil {
		log.Info("listening for gRPC", "addr", grpcListener.Addr().String())
		ingestion := grpcapi.New(grpcapi.Config{
			Publisher: traced, Projects: acc, Trace: traces.Call, Access: limited, Refused: acc.NoteRefusal, Limiter: limiter, TLS: tlsConfig, DrainTimeout: c.DrainTimeout, Log: log,
		})
		work.Go(func() error { return ingestion.Serve(workCtx, grpcListener) })
	}
	c.welcome(std, log, ln.Addr().String())
	work.Go(func() error { return srv.Serve(workCtx, ln) })
	err = work.Wait()
	leave()
	return errors.Join(err, base.Wait())
}
