package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/seal"
)

// maxConns is how many connections a node opens at most, unless the URL's
// pool_max_conns says otherwise: with five nodes it stays under PostgreSQL's
// default of 100.
const maxConns = 16

func openPostgres(ctx context.Context, url string, sealer *seal.Sealer) (*Store, error) {
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's text would repeat the URL, and with it perhaps a password.
		return nil, errors.New("the database URL is not postgres://USER:PASSWORD@HOST:PORT/NAME?OPTION=VALUE")
	}
	if !strings.Contains(url, "pool_max_conns=") {
		conf.MaxConns = maxConns
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
		dialect: dialect.Postgres, client: ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, db))), reader: db, sealer: sealer,
		hot:     &postgresHot{pool: pool},
		close:   func() error { pool.Close(); return nil },
		migrate: func(ctx context.Context) error { return migrate(ctx, db, "postgres") },
	}, nil
}
