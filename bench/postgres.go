package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
)

// onPostgres runs a measurement with hark on a new PostgreSQL, as durable as in production.
func onPostgres(run func(context.Context, *bench) (result, error)) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		pg, err := testkit.StartPostgres(true)
		if err != nil {
			return result{}, err
		}
		defer pg.Remove()
		there := *b
		there.database = pg.URL()
		return run(ctx, &there)
	}
}

const (
	bareTables = `DROP TABLE IF EXISTS bare_events, bare_deliveries, bare_attempts;
		CREATE TABLE bare_events (id uuid, sequence bigint, kind text, environment text, path text, payload bytea, published bigint);
		CREATE TABLE bare_deliveries (id uuid PRIMARY KEY, event uuid, status text, attempts int, leased bigint);
		CREATE TABLE bare_attempts (delivery uuid, started bigint, took bigint, status int, response text)`
	bareFinish = "UPDATE bare_deliveries SET status = 'SUCCEEDED', attempts = 1, leased = 0 WHERE id = ANY($1)"
	bareTries  = "INSERT INTO bare_attempts SELECT id, 1, 1, 200, '' FROM unnest($1::uuid[]) AS id"
)

// bareCopies is bareInserts with deliveries for PostgreSQL, 100 in a transaction.
func bareCopies(ctx context.Context, b *bench) (rate float64, err error) {
	conn, err := pgx.Connect(ctx, b.database)
	if err != nil {
		return 0, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, bareTables); err != nil {
		return 0, err
	}
	const rows = 100
	payload := publishBody(1)
	total, start := 0, time.Now()
	for time.Since(start) < b.length/2 {
		ids := make([][16]byte, rows)
		events, deliveries := make([][]any, rows), make([][]any, rows)
		for i := range ids {
			ids[i] = hark.NewID()
			events[i] = []any{ids[i], total + i, "secret:update", "production", "/app/backend", payload, int64(hark.Now())}
			deliveries[i] = []any{ids[i], ids[i], "IN_PROGRESS", 0, 1}
		}
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"bare_events"},
				[]string{"id", "sequence", "kind", "environment", "path", "payload", "published"}, pgx.CopyFromRows(events))
			if err != nil {
				return err
			}
			_, err = tx.CopyFrom(ctx, pgx.Identifier{"bare_deliveries"},
				[]string{"id", "event", "status", "attempts", "leased"}, pgx.CopyFromRows(deliveries))
			return err
		})
		if err == nil {
			err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, bareFinish, ids); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, bareTries, ids)
				return err
			})
		}
		if err != nil {
			return 0, err
		}
		total += rows
	}
	return float64(total) / time.Since(start).Seconds(), nil
}
