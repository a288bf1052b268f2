package testkit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shared is the cluster of Postgres. It is a variable of the package because
// that is what it stands for: one for each test binary.
var shared sharedCluster

type sharedCluster struct {
	once  sync.Once
	pg    *cluster
	err   error
	count atomic.Int64
}

// Postgres gives the URL of a new, empty database, which is dropped with the
// test. The first call in a test binary starts the cluster behind it, fast and
// not durable; TestMain must call Main, which stops it. Without PostgreSQL on
// the PATH or in /usr/lib/postgresql the test fails.
func Postgres(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.pg, shared.err = newCluster(false) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name := fmt.Sprintf("test_%d", shared.count.Add(1))
	// Nobody can be connected to template0, so copying it never has to wait.
	if err := shared.pg.exec("CREATE DATABASE " + name + " TEMPLATE template0"); err != nil {
		t.Fatalf("create database %s: %v\n%s", name, err, logTail(shared.pg.log()))
	}
	t.Cleanup(func() {
		if err := shared.pg.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
	return shared.pg.url(name)
}

func (s *sharedCluster) stop() {
	if s.pg != nil {
		s.pg.remove()
	}
}

// exec runs one statement in the database postgres.
func (c *cluster) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// A PostgresCluster is a PostgreSQL server of its own, for tests that stop or
// kill it. Its methods are for the goroutine of its test.
type PostgresCluster struct {
	t  testing.TB
	pg *cluster
}

// PostgresServer starts a cluster that is removed with the test; it takes a
// second or two. Durable means as in production: what is committed is on the
// disk. Else it is as fast as it can be.
func PostgresServer(t testing.TB, durable bool) *PostgresCluster {
	t.Helper()
	pg, err := newCluster(durable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.remove)
	return &PostgresCluster{t: t, pg: pg}
}

// StartPostgres is PostgresServer for programs that are no test: the caller removes it.
func StartPostgres(durable bool) (*PostgresCluster, error) {
	pg, err := newCluster(durable)
	if err != nil {
		return nil, err
	}
	return &PostgresCluster{pg: pg}, nil
}

// Remove stops the server and removes all that it has stored.
func (c *PostgresCluster) Remove() { c.pg.remove() }

// URL is that of the database postgres, which starts empty; the same after Start.
func (c *PostgresCluster) URL() string { return c.pg.url("postgres") }

// Stop shuts the server down in order; it breaks connections that are open.
func (c *PostgresCluster) Stop() { c.pg.proc.stop(stopFast) }

// Kill ends the server as a crash does: nothing is written out, and the next
// start recovers from the write-ahead log.
func (c *PostgresCluster) Kill() { c.pg.proc.stop(stopImmediate) }

// Start starts the server again after Stop or Kill, on the same port.
func (c *PostgresCluster) Start() {
	c.t.Helper()
	if err := c.pg.start(c.pg.port); err != nil {
		c.t.Fatalf("start postgres again: %v\n%s", err, logTail(c.pg.log()))
	}
}
