package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"entgo.io/ent/dialect"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// labelBreath is what Label leaves to publishers between two transactions.
const labelBreath = 10 * time.Millisecond

// Label marks all that a subscription has waiting as HELD while it is paused, as
// PENDING while it is active: beyond what Hold and Unhold do at once. It works in
// many small transactions, the oldest first, and ends when the subscription is no
// longer as it was in version. Nothing but people goes by these marks, so it may
// be cut short.
func (s *Store) Label(ctx context.Context, subscription hark.ID, version int64) error {
	from := place{TestDue, math.MaxInt64} // tests stay as they are
	for {
		to, err := s.labelEnd(ctx, subscription, from)
		if err != nil {
			return fmt.Errorf("mark what waits: %w", err)
		}
		still := false
		err = s.Tx(ctx, func(tx *ent.Tx) (err error) {
			still, err = s.labelSome(ctx, tx, subscription, version, from, to)
			return err
		})
		if err != nil {
			return fmt.Errorf("mark what waits: %w", err)
		}
		if !still || to.next == Barred {
			return nil
		}
		from = to
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(labelBreath):
		}
	}
}

// A place is one in the line of a subscription.
type place struct {
	next     hark.Time
	sequence int64
}

const behind = "status IN ('PENDING', 'HELD') AND subscription_id = ? AND (next_attempt_at, sequence) > (?, ?)"

// labelEnd gives the place of the last of a batch behind from; in front of what
// is barred, if there are not so many.
func (s *Store) labelEnd(ctx context.Context, subscription hark.ID, from place) (to place, err error) {
	err = s.reader.QueryRowContext(ctx, s.rebind(fmt.Sprintf("SELECT next_attempt_at, sequence FROM deliveries WHERE "+behind+
		" AND next_attempt_at < ? ORDER BY next_attempt_at, sequence LIMIT 1 OFFSET %d", relabelled-1)),
		subscription, from.next, from.sequence, Barred).Scan(&to.next, &to.sequence)
	if errors.Is(err, sql.ErrNoRows) {
		return place{Barred, 0}, nil
	}
	return to, err
}

// labelSome is one transaction of Label.
func (s *Store) labelSome(ctx context.Context, tx *ent.Tx, subscription hark.ID, version int64, from, to place) (still bool, err error) {
	query := "SELECT active FROM event_subscriptions WHERE id = ? AND version = ?"
	if s.dialect == dialect.Postgres { // a pause or a resume waits for this transaction; SQLite has the one writer
		query += " FOR SHARE"
	}
	rows, err := tx.QueryContext(ctx, s.rebind(query), subscription, version)
	if err != nil {
		return false, err
	}
	var active bool
	if still = rows.Next(); still {
		err = rows.Scan(&active)
	}
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil || !still {
		return false, err
	}
	wrong, right := hark.Pending, hark.Held
	if active {
		wrong, right = right, wrong
	}
	_, err = tx.ExecContext(ctx, s.rebind("UPDATE deliveries SET status = ?, updated_at = ? WHERE status = ? AND id IN (SELECT id FROM deliveries WHERE "+
		behind+" AND (next_attempt_at, sequence) <= (?, ?)"+s.skipLocked()+")"),
		string(right), int64(hark.Now()), string(wrong), subscription, from.next, from.sequence, to.next, to.sequence)
	return true, err
}
