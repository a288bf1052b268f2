package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hark-events/hark"
)

const (
	postgresLogs = `SELECT id, last_sequence, version, (SELECT value FROM revisions WHERE id = 'definitions')
		FROM event_logs WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE`
	postgresInsertEvents = "INSERT INTO events (" + eventColumns + `) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[],
		$5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::bytea[])`
	postgresInsertDeliveries = `INSERT INTO deliveries (id, project_id, subscription_id, event_id, sequence, status, discard_reason, next_attempt_at, leased_until, created_at, updated_at)
		SELECT i, p, s, e, q, t, r, n, l, c, c FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[])
		AS d(i, p, s, e, q, t, r, n, l, c)`

	postgresAdvance = "UPDATE event_logs SET last_sequence = a.last FROM unnest($1::uuid[], $2::bigint[]) AS a(id, last) WHERE event_logs.id = a.id"

	// See sqliteClaim and sqliteClaimHead. With ANY(ARRAY(…)) the plan looks each
	// row up by its id; with IN it may join with all that there are, since it
	// can't know how few the subquery gives.
	postgresClaim = `UPDATE deliveries SET status = 'IN_PROGRESS', leased_until = $1 WHERE id = ANY(ARRAY(
		SELECT id FROM deliveries WHERE status IN ('PENDING', 'HELD') AND subscription_id = $2
		AND next_attempt_at <= CASE WHEN (SELECT active AND (opened_at = 0 OR $5) FROM event_subscriptions WHERE id = $2) THEN $3::bigint ELSE 1 END
		ORDER BY next_attempt_at, sequence LIMIT $4 FOR UPDATE SKIP LOCKED)) ` + claimReturns
	postgresClaimHead = `UPDATE deliveries SET status = 'IN_PROGRESS', leased_until = $1 WHERE id = (
		SELECT id FROM deliveries WHERE id = (
			SELECT id FROM deliveries WHERE status IN ('PENDING', 'HELD', 'IN_PROGRESS') AND subscription_id = $2 ORDER BY sequence LIMIT 1)
		AND status IN ('PENDING', 'HELD')
		AND next_attempt_at <= CASE WHEN (SELECT active AND (opened_at = 0 OR $4) FROM event_subscriptions WHERE id = $2) THEN $3::bigint ELSE 1 END
		FOR UPDATE SKIP LOCKED) ` + claimReturns
	postgresExpire = `UPDATE deliveries SET status = ` + waitsAgain + `, leased_until = 0 WHERE id = ANY(ARRAY(
		SELECT id FROM deliveries WHERE status = 'IN_PROGRESS' AND leased_until < $1 FOR UPDATE SKIP LOCKED))`
	// status || '' keeps the planner off deliveries_leased, which it takes for
	// nearly empty and which is full of dead entries between two vacuums.
	postgresRelease = `UPDATE deliveries d SET status = ` + waitsAgain + `, leased_until = 0 FROM unnest($1::uuid[], $2::bigint[]) AS o(id, lease)
		WHERE d.id = o.id AND d.status || '' = 'IN_PROGRESS' AND d.leased_until = o.lease`
	// A delivery to try again waits, or is held if its subscription was paused
	// meanwhile. One without a row in updated lost its lease: another worker's outcome counts.
	postgresRecord = `WITH outcome AS (
			SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::int[], $5::text[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::int[], $11::text[])
			AS o(id, subscription, lease, number, status, next, error, started, duration, code, body)
		), updated AS (
			UPDATE deliveries d SET
				status = CASE WHEN o.status = 'PENDING' AND NOT (SELECT active FROM event_subscriptions s WHERE s.id = o.subscription) THEN 'HELD' ELSE o.status END,
				attempt_count = o.number, next_attempt_at = o.next, leased_until = 0, last_error = o.error, updated_at = $12
			FROM outcome o WHERE d.id = o.id AND d.status || '' = 'IN_PROGRESS' AND d.leased_until = o.lease
			RETURNING d.id
		)
		INSERT INTO delivery_attempts (delivery_id, subscription_id, number, started_at, duration_ns, status_code, response_body, error)
		SELECT o.id, o.subscription, o.number, o.started, o.duration, o.code, o.body, o.error FROM outcome o JOIN updated USING (id)`
	// Of a delivery whose lease was lost, none is told.
	postgresInsertAlarms = `INSERT INTO alarms (id, project_id, resource_type, operation_type, payload, occurred_at)
		SELECT i, p, r, o, b, t FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::bigint[], $7::uuid[], $8::int[]) AS a(i, p, r, o, b, t, d, n)
		WHERE EXISTS (SELECT 1 FROM deliveries WHERE id = d AND status = 'FAILED' AND attempt_count = n)`
)

// rollbackTimeout bounds the end of a transaction that failed.
const rollbackTimeout = 5 * time.Second

// postgresHot runs the hot statements through pgx itself: arrays instead of a
// parameter for each field, and one round trip for each statement.
type postgresHot struct{ pool *pgxpool.Pool }

// postgresTx is an open transaction. It is driven by hand, since BEGIN and
// COMMIT can then travel with what they enclose: while the counter rows are
// taken every publisher of the project waits, and each round trip counts.
type postgresTx struct{ *pgxpool.Conn }

func (h *postgresHot) begin(ctx context.Context, projects []hark.ID) (appendTx, *locked, error) {
	conn, err := h.pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	found := &locked{logs: make(map[hark.ID]*logRow, len(projects))}
	batch := new(pgx.Batch)
	batch.Queue("BEGIN")
	batch.Queue(postgresGuard)
	batch.Queue(postgresLogs, uuids(projects)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var id hark.ID
			l := new(logRow)
			if err := rows.Scan((*[16]byte)(&id), &l.last, &l.version, &found.definitions); err != nil {
				return err
			}
			found.logs[id] = l
		}
		return rows.Err()
	})
	tx := &postgresTx{conn}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		tx.rollback(ctx)
		return nil, nil, err
	}
	return tx, found, nil
}

// rollback gives the connection back; one whose transaction can't be ended is closed.
func (t *postgresTx) rollback(ctx context.Context) {
	if t.Conn.Conn().PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_, _ = t.Exec(ctx, "ROLLBACK") // what failed is told already
	}
	t.Release()
}

func (t *postgresTx) commit(ctx context.Context, events []*hark.Event, ds []newDelivery, ends map[hark.ID]int64) error {
	batch := new(pgx.Batch)
	batch.Queue(postgresInsertEvents, eventArrays(events)...)
	if len(ds) > 0 {
		batch.Queue(postgresInsertDeliveries, deliveryArrays(ds)...)
	}
	ids := slices.Collect(maps.Keys(ends))
	batch.Queue(postgresAdvance, uuids(ids), each(ids, func(id hark.ID) int64 { return ends[id] }))
	batch.Queue("COMMIT")
	return t.SendBatch(ctx, batch).Close()
}

func (t *postgresTx) findKeys(ctx context.Context, project hark.ID, keys []string, since hark.Time) ([]*hark.Event, error) {
	rows, err := t.Query(ctx, "SELECT "+eventColumns+` FROM events WHERE project_id = $1 AND idempotency_key <> ''
		AND idempotency_key = ANY($2) AND published_at >= $3 ORDER BY sequence`, [16]byte(project), keys, int64(since))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*hark.Event, error) {
		e := new(hark.Event)
		var trace []byte
		err := row.Scan((*[16]byte)(&e.ID), (*[16]byte)(&e.ProjectID), &e.Sequence, (*[16]byte)(&e.DefinitionID), &e.SourceService, &e.ResourceType, &e.OperationType,
			&e.Environment, &e.Path, (*[]byte)(&e.Payload), &e.Actor, (*int64)(&e.OccurredAt), (*int64)(&e.PublishedAt), &e.IdempotencyKey, &trace)
		e.Traceparent = unpackTrace(trace)
		return e, err
	})
}

func (t *postgresTx) takeAlarms(ctx context.Context, ids []hark.ID) ([]hark.ID, error) {
	rows, err := t.Query(ctx, "DELETE FROM alarms WHERE id = ANY($1::uuid[]) RETURNING id", uuids(ids))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (id hark.ID, err error) {
		err = row.Scan((*[16]byte)(&id))
		return id, err
	})
}

func eventArrays(events []*hark.Event) []any {
	return []any{
		each(events, func(e *hark.Event) [16]byte { return e.ID }),
		each(events, func(e *hark.Event) [16]byte { return e.ProjectID }),
		each(events, func(e *hark.Event) int64 { return e.Sequence }),
		each(events, func(e *hark.Event) [16]byte { return e.DefinitionID }),
		each(events, func(e *hark.Event) string { return e.SourceService }),
		each(events, func(e *hark.Event) string { return e.ResourceType }),
		each(events, func(e *hark.Event) string { return e.OperationType }),
		each(events, func(e *hark.Event) string { return e.Environment }),
		each(events, func(e *hark.Event) string { return e.Path }),
		each(events, func(e *hark.Event) []byte { return e.Payload }),
		each(events, func(e *hark.Event) string { return e.Actor }),
		each(events, func(e *hark.Event) int64 { return int64(e.OccurredAt) }),
		each(events, func(e *hark.Event) int64 { return int64(e.PublishedAt) }),
		each(events, func(e *hark.Event) string { return e.IdempotencyKey }),
		each(events, func(e *hark.Event) []byte { return packTrace(e.Traceparent) }),
	}
}

func deliveryArrays(ds []newDelivery) []any {
	return []any{
		each(ds, func(d newDelivery) [16]byte { return d.id }),
		each(ds, func(d newDelivery) [16]byte { return d.project }),
		each(ds, func(d newDelivery) [16]byte { return d.subscription }),
		each(ds, func(d newDelivery) [16]byte { return d.event }),
		each(ds, func(d newDelivery) int64 { return d.sequence }),
		each(ds, func(d newDelivery) string { return string(d.status) }),
		each(ds, func(d newDelivery) string { return d.reason }),
		each(ds, func(d newDelivery) int64 { return int64(d.next) }),
		each(ds, func(d newDelivery) int64 { return int64(d.leased) }),
		each(ds, func(d newDelivery) int64 { return int64(d.created) }),
	}
}

func (h *postgresHot) expire(ctx context.Context, now hark.Time) error {
	_, err := h.pool.Exec(ctx, postgresExpire, int64(now))
	return err
}

func (h *postgresHot) claim(ctx context.Context, wants []want, now, until hark.Time) (cs []claimed, err error) {
	batch := new(pgx.Batch)
	for _, w := range wants {
		query, args := postgresClaim, []any{int64(until), [16]byte(w.Subscription), int64(now), w.N, w.probe}
		if w.Ordered {
			query, args = postgresClaimHead, []any{int64(until), [16]byte(w.Subscription), int64(now), w.probe}
		}
		batch.Queue(query, args...).Query(func(rows pgx.Rows) error {
			first := len(cs)
			for rows.Next() {
				var c claimed
				if err := rows.Scan((*[16]byte)(&c.id), (*[16]byte)(&c.subscription), (*[16]byte)(&c.event), &c.attempts, &c.start, &c.test, (*int64)(&c.next), &c.sequence, &c.version); err != nil {
					return err
				}
				cs = append(cs, c)
			}
			slices.SortFunc(cs[first:], claimed.compare)
			return rows.Err()
		})
	}
	return cs, h.pool.SendBatch(ctx, batch).Close()
}

func (h *postgresHot) release(ctx context.Context, ds []*hark.Delivery) error {
	_, err := h.pool.Exec(ctx, postgresRelease,
		each(ds, func(d *hark.Delivery) [16]byte { return d.ID }),
		each(ds, func(d *hark.Delivery) int64 { return int64(d.LeasedUntil) }))
	return err
}

func (h *postgresHot) record(ctx context.Context, outcomes []*hark.Attempt, now hark.Time) error {
	batch := new(pgx.Batch)
	batch.Queue(postgresRecord,
		each(outcomes, func(a *hark.Attempt) [16]byte { return a.Delivery.ID }),
		each(outcomes, func(a *hark.Attempt) [16]byte { return a.Delivery.SubscriptionID }),
		each(outcomes, func(a *hark.Attempt) int64 { return int64(a.Delivery.LeasedUntil) }),
		each(outcomes, func(a *hark.Attempt) int { return a.Delivery.Attempt }),
		each(outcomes, func(a *hark.Attempt) string { return string(a.Status) }),
		each(outcomes, func(a *hark.Attempt) int64 { return int64(a.NextAt) }),
		each(outcomes, func(a *hark.Attempt) string { return a.Error }),
		each(outcomes, func(a *hark.Attempt) int64 { return int64(a.StartedAt) }),
		each(outcomes, func(a *hark.Attempt) int64 { return int64(a.Duration) }),
		each(outcomes, func(a *hark.Attempt) int { return a.StatusCode }),
		each(outcomes, func(a *hark.Attempt) string { return a.ResponseBody }),
		int64(now))
	if dead := deaths(outcomes, now); len(dead) > 0 {
		batch.Queue(postgresInsertAlarms,
			each(dead, func(a alarm) [16]byte { return a.id }),
			each(dead, func(a alarm) [16]byte { return a.project }),
			each(dead, func(a alarm) string { return a.resource }),
			each(dead, func(a alarm) string { return a.operation }),
			each(dead, func(a alarm) []byte { return a.payload }),
			each(dead, func(a alarm) int64 { return int64(a.at) }),
			each(dead, func(a alarm) [16]byte { return a.delivery }),
			each(dead, func(a alarm) int { return a.number }))
	}
	return h.pool.SendBatch(ctx, batch).Close() // one implicit transaction
}

// each collects one field of each item: a column for unnest.
func each[T, F any](items []T, field func(T) F) []F {
	column := make([]F, len(items))
	for i, item := range items {
		column[i] = field(item)
	}
	return column
}

func uuids(ids []hark.ID) [][16]byte { return each(ids, func(id hark.ID) [16]byte { return id }) }
