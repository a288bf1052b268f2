package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/seal"
)

// maxConns is how many connections a node opens at most, unless the URL's
// pool_max_conns says otherwise: with five nodes it stays under PostgreSQL's
// default of 100.
const maxConns = 16

// minConns is the least that the URL may ask for: a publish that holds a counter
// row needs a second connection while others wait for that row with theirs.
const minConns = 4

// postgresGuard ends a transaction whose node hangs or is cut off, so that the
// counter row it holds does not stop the publishers of all other nodes.
const postgresGuard = "SET LOCAL idle_in_transaction_session_timeout = '10s'"

func openPostgres(ctx context.Context, url string, sealer *seal.Sealer) (*Store, error) {
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's text would repeat the URL, and with it perhaps a password.
		return nil, errors.New("the database URL is not postgres://USER:PASSWORD@HOST:PORT/NAME?OPTION=VALUE")
	}
	if !strings.Contains(url, "pool_max_conns=") {
		conf.MaxConns = maxConns
	}
	conf.MaxConns = max(conf.MaxConns, minConns)
	if !strings.Contains(url, "default_query_exec_mode=") {
		// Statements are planned each time: a plan that is kept from when a table
		// was small reads all of it until the next ANALYZE, and a queue grows a
		// hundredfold in less. It also lets a pooler keep connections for transactions.
		conf.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	return &Store{
		dialect: dialect.Postgres, client: ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, db))), reader: db, writer: db, sealer: sealer,
		hot:     &postgresHot{pool: pool},
		writing: make(chan struct{}, conf.MaxConns/2),
		close:   func() error { pool.Close(); return nil },
		migrate: func(ctx context.Context) error { return migrate(ctx, db, "postgres") },
	}, nil
}
