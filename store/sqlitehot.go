package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hark-events/hark"
)

const (
	sqliteInsertEvents     = "INSERT INTO events (" + eventColumns + ") VALUES "
	sqliteInsertDeliveries = "INSERT INTO deliveries (id, project_id, subscription_id, event_id, sequence, status, discard_reason, next_attempt_at, leased_until, created_at, updated_at) VALUES "
	sqliteInsertAttempts   = "INSERT INTO delivery_attempts (delivery_id, subscription_id, number, started_at, duration_ns, status_code, response_body, error) VALUES "

	sqliteLog         = "SELECT last_sequence, version FROM event_logs WHERE id = ?"
	sqliteDefinitions = "SELECT value FROM revisions WHERE id = 'definitions'"
	sqliteAdvance     = "UPDATE event_logs SET last_sequence = ? WHERE id = ?"

	// Of a subscription that is not active, or whose circuit is open, nothing is
	// due but tests, see TestDue; and what probes an open circuit.
	sqliteClaim = `UPDATE deliveries SET status = 'IN_PROGRESS', leased_until = ?1 WHERE id IN (
		SELECT id FROM deliveries WHERE status IN ('PENDING', 'HELD') AND subscription_id = ?2
		AND next_attempt_at <= CASE WHEN (SELECT active AND (opened_at = 0 OR ?5) FROM event_subscriptions WHERE id = ?2) THEN ?3 ELSE 1 END
		ORDER BY next_attempt_at, sequence LIMIT ?4) ` + claimReturns
	// The head of the line is the oldest delivery without an outcome; while it
	// waits for its next attempt or is under way, so do all behind it.
	sqliteClaimHead = `UPDATE deliveries SET status = 'IN_PROGRESS', leased_until = ?1 WHERE id = (
		SELECT id FROM deliveries WHERE status IN ('PENDING', 'HELD', 'IN_PROGRESS') AND subscription_id = ?2 ORDER BY sequence LIMIT 1)
		AND status IN ('PENDING', 'HELD')
		AND next_attempt_at <= CASE WHEN (SELECT active AND (opened_at = 0 OR ?4) FROM event_subscriptions WHERE id = ?2) THEN ?3 ELSE 1 END ` + claimReturns
	claimReturns = `RETURNING id, subscription_id, event_id, attempt_count, schedule_start, test, next_attempt_at, sequence,
		coalesce((SELECT s.version FROM event_subscriptions s WHERE s.id = subscription_id), 0)`
	sqliteExpire  = "UPDATE deliveries SET status = " + waitsAgain + ", leased_until = 0 WHERE status = 'IN_PROGRESS' AND leased_until < ?"
	sqliteRelease = "UPDATE deliveries SET status = " + waitsAgain + ", leased_until = 0 WHERE id = ? AND status = 'IN_PROGRESS' AND leased_until = ?"
	// What loses its lease waits, or is held if its subscription was paused meanwhile.
	waitsAgain = "CASE WHEN EXISTS (SELECT 1 FROM event_subscriptions s WHERE s.id = subscription_id AND NOT s.active) THEN 'HELD' ELSE 'PENDING' END"
	// A delivery to try again waits, or is held if its subscription was paused meanwhile.
	// The unary plus keeps the planner from looking for the lease first.
	sqliteRecord = `UPDATE deliveries SET
		status = CASE WHEN o.column2 = 'PENDING' AND EXISTS (SELECT 1 FROM event_subscriptions s WHERE s.id = subscription_id AND NOT s.active) THEN 'HELD' ELSE o.column2 END,
		attempt_count = o.column3, next_attempt_at = o.column4, leased_until = 0, last_error = o.column5, updated_at = o.column6
		FROM (VALUES `
	sqliteRecorded     = `) o WHERE id = o.column1 AND +status = 'IN_PROGRESS' AND +leased_until = o.column7 RETURNING id`
	sqliteInsertAlarms = "INSERT INTO alarms (id, project_id, resource_type, operation_type, payload, occurred_at) VALUES "
)

// How many fields the statements of many rows set for each.
const (
	deliveryFields = 11
	attemptFields  = 8
	outcomeFields  = 7
	alarmFields    = 6
)

// insertSizes are how many rows one INSERT carries, largest first. Fewer rows
// cost more calls; beyond 50 nothing more was gained when measured.
var insertSizes = [...]int{50, 10, 1}

// sqliteHot runs the hot statements on the one writing connection, each
// prepared once.
type sqliteHot struct {
	db *sql.DB

	mu         sync.Mutex
	statements map[string]*sql.Stmt // nil until the schema is there to prepare them
}

func (h *sqliteHot) prepare(ctx context.Context) (map[string]*sql.Stmt, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.statements != nil {
		return h.statements, nil
	}
	queries := []string{
		sqliteLog, sqliteDefinitions, sqliteAdvance, sqliteClaim, sqliteClaimHead,
		sqliteExpire, sqliteRelease,
	}
	for _, n := range insertSizes {
		queries = append(queries, sqliteInsertEvents+rows(n, eventFields), sqliteInsertDeliveries+rows(n, deliveryFields),
			sqliteInsertAttempts+rows(n, attemptFields), sqliteRecord+rows(n, outcomeFields)+sqliteRecorded, sqliteInsertAlarms+rows(n, alarmFields))
	}
	statements := make(map[string]*sql.Stmt, len(queries))
	for _, q := range queries {
		st, err := h.db.PrepareContext(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("prepare: %w", err)
		}
		statements[q] = st
	}
	h.statements = statements
	return statements, nil
}

// rows is the VALUES of n rows with so many fields.
func rows(n, fields int) string {
	return strings.TrimSuffix(strings.Repeat("("+list(fields)+"),", n), ",")
}

// sqliteTx is an open transaction with the prepared statements.
type sqliteTx struct {
	*sql.Tx
	statements map[string]*sql.Stmt
}

func (h *sqliteHot) open(ctx context.Context) (*sqliteTx, error) {
	statements, err := h.prepare(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := h.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	return &sqliteTx{tx, statements}, nil
}

// in runs f in a transaction.
func (h *sqliteHot) in(ctx context.Context, f func(*sqliteTx) error) error {
	tx, err := h.open(ctx)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		tx.rollback(ctx)
		return err
	}
	return tx.Commit()
}

func (t *sqliteTx) exec(ctx context.Context, query string, args ...any) error {
	_, err := t.StmtContext(ctx, t.statements[query]).ExecContext(ctx, args...)
	return err
}

// insert runs an INSERT for n rows.
func (t *sqliteTx) insert(ctx context.Context, query string, fields, n int, row func(args []any, i int) []any) error {
	return t.each(ctx, n, query, fields, "", row, func(query string, args []any) error { return t.exec(ctx, query, args...) })
}

// each runs a statement of before, VALUES and after for n rows, in as few as the sizes allow.
func (t *sqliteTx) each(ctx context.Context, n int, before string, fields int, after string, row func(args []any, i int) []any, run func(query string, args []any) error) error {
	args := make([]any, 0, min(n, insertSizes[0])*fields)
	i := 0
	for _, size := range insertSizes {
		for n-i >= size {
			args = args[:0]
			for range size {
				args = row(args, i)
				i++
			}
			if err := run(before+rows(size, fields)+after, args); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *sqliteHot) begin(ctx context.Context, projects []hark.ID) (appendTx, *locked, error) {
	tx, err := h.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, err := tx.find(ctx, projects)
	if err != nil {
		tx.rollback(ctx)
		return nil, nil, err
	}
	return tx, found, nil
}

// find reads the counter rows: they need no lock, this is the one writer.
func (t *sqliteTx) find(ctx context.Context, projects []hark.ID) (*locked, error) {
	found := &locked{logs: make(map[hark.ID]*logRow, len(projects))}
	for _, id := range projects {
		var l logRow
		err := t.StmtContext(ctx, t.statements[sqliteLog]).QueryRowContext(ctx, id[:]).Scan(&l.last, &l.version)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found.logs[id] = &l
	}
	err := t.StmtContext(ctx, t.statements[sqliteDefinitions]).QueryRowContext(ctx).Scan(&found.definitions)
	return found, err
}

func (t *sqliteTx) commit(ctx context.Context, events []*hark.Event, deliveries []newDelivery, ends map[hark.ID]int64) error {
	if err := t.insertEvents(ctx, events); err != nil {
		return err
	}
	if err := t.insertDeliveries(ctx, deliveries); err != nil {
		return err
	}
	for id, last := range ends {
		if err := t.exec(ctx, sqliteAdvance, last, id[:]); err != nil {
			return err
		}
	}
	return t.Commit()
}

func (t *sqliteTx) rollback(context.Context) { _ = t.Rollback() } // what failed is told already

func (t *sqliteTx) findKeys(ctx context.Context, project hark.ID, keys []string, since hark.Time) ([]*hark.Event, error) {
	rows, err := t.QueryContext(ctx, "SELECT "+eventColumns+" FROM events WHERE project_id = ? AND idempotency_key <> '' AND idempotency_key IN ("+
		list(len(keys))+") AND published_at >= ? ORDER BY sequence", append(append([]any{project}, anys(keys)...), since)...)
	if err != nil {
		return nil, err
	}
	return scanEvents(rows, 0)
}

func (t *sqliteTx) takeAlarms(ctx context.Context, ids []hark.ID) ([]hark.ID, error) {
	rows, err := t.QueryContext(ctx, "DELETE FROM alarms WHERE id IN ("+list(len(ids))+") RETURNING id", anys(ids)...)
	if err != nil {
		return nil, err
	}
	return scanIDs(rows)
}

func (t *sqliteTx) insertEvents(ctx context.Context, events []*hark.Event) error {
	return t.insert(ctx, sqliteInsertEvents, eventFields, len(events), func(args []any, i int) []any {
		e := events[i]
		var trace any // NULL where there is none
		if b := packTrace(e.Traceparent); b != nil {
			trace = b
		}
		return append(args, e.ID[:], e.ProjectID[:], e.Sequence, e.DefinitionID[:], e.SourceService, e.ResourceType, e.OperationType,
			e.Environment, e.Path, []byte(e.Payload), e.Actor, int64(e.OccurredAt), int64(e.PublishedAt), e.IdempotencyKey, trace)
	})
}

func (t *sqliteTx) insertDeliveries(ctx context.Context, ds []newDelivery) error {
	return t.insert(ctx, sqliteInsertDeliveries, deliveryFields, len(ds), func(args []any, i int) []any {
		d := &ds[i]
		return append(args, d.id[:], d.project[:], d.subscription[:], d.event[:], d.sequence, string(d.status), d.reason,
			int64(d.next), int64(d.leased), int64(d.created), int64(d.created))
	})
}

func (h *sqliteHot) expire(ctx context.Context, now hark.Time) error {
	return h.in(ctx, func(tx *sqliteTx) error { return tx.exec(ctx, sqliteExpire, int64(now)) })
}

func (h *sqliteHot) claim(ctx context.Context, wants []want, now, until hark.Time) (cs []claimed, err error) {
	err = h.in(ctx, func(tx *sqliteTx) error {
		for _, w := range wants {
			query, args := sqliteClaim, []any{int64(until), w.Subscription[:], int64(now), w.N, w.probe}
			if w.Ordered {
				query, args = sqliteClaimHead, []any{int64(until), w.Subscription[:], int64(now), w.probe}
			}
			rows, err := tx.StmtContext(ctx, tx.statements[query]).QueryContext(ctx, args...)
			if err != nil {
				return err
			}
			first := len(cs)
			for rows.Next() {
				var c claimed
				if err := rows.Scan(&c.id, &c.subscription, &c.event, &c.attempts, &c.start, &c.test, &c.next, &c.sequence, &c.version); err != nil {
					_ = rows.Close() // the scan's error is the one to tell
					return err
				}
				cs = append(cs, c)
			}
			if err := rows.Err(); err != nil {
				return err
			}
			slices.SortFunc(cs[first:], claimed.compare)
		}
		return nil
	})
	return cs, err
}

func (h *sqliteHot) release(ctx context.Context, ds []*hark.Delivery) error {
	return h.in(ctx, func(tx *sqliteTx) error {
		for _, d := range ds {
			if err := tx.exec(ctx, sqliteRelease, d.ID[:], int64(d.LeasedUntil)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *sqliteHot) record(ctx context.Context, outcomes []*hark.Attempt, now hark.Time) error {
	return h.in(ctx, func(tx *sqliteTx) error {
		kept, err := tx.record(ctx, outcomes, now)
		if err != nil {
			return err
		}
		if err := tx.insertAttempts(ctx, kept); err != nil {
			return err
		}
		dead := deaths(kept, now)
		return tx.insert(ctx, sqliteInsertAlarms, alarmFields, len(dead), func(args []any, i int) []any {
			a := &dead[i]
			return append(args, a.id[:], a.project[:], a.resource, a.operation, []byte(a.payload), int64(a.at))
		})
	})
}

// record stores what becomes of deliveries, and gives the outcomes that count:
// of the others the lease was lost, and another worker's count.
func (t *sqliteTx) record(ctx context.Context, outcomes []*hark.Attempt, now hark.Time) (kept []*hark.Attempt, err error) {
	recorded := make(map[hark.ID]bool, len(outcomes))
	err = t.each(ctx, len(outcomes), sqliteRecord, outcomeFields, sqliteRecorded, func(args []any, i int) []any {
		a := outcomes[i]
		d := a.Delivery
		return append(args, d.ID[:], string(a.Status), d.Attempt, int64(a.NextAt), a.Error, int64(now), int64(d.LeasedUntil))
	}, func(query string, args []any) error {
		rows, err := t.StmtContext(ctx, t.statements[query]).QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		ids, err := scanIDs(rows)
		for _, id := range ids {
			recorded[id] = true
		}
		return err
	})
	for _, a := range outcomes {
		if recorded[a.Delivery.ID] {
			kept = append(kept, a)
		}
	}
	return kept, err
}

func (t *sqliteTx) insertAttempts(ctx context.Context, attempts []*hark.Attempt) error {
	return t.insert(ctx, sqliteInsertAttempts, attemptFields, len(attempts), func(args []any, i int) []any {
		a := attempts[i]
		d := a.Delivery
		return append(args, d.ID[:], d.SubscriptionID[:], d.Attempt, int64(a.StartedAt), int64(a.Duration), a.StatusCode, a.ResponseBody, a.Error)
	})
}
