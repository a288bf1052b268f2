package store

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/predicate"
)

const (
	// relabelled is how many deliveries Hold and Unhold change at most. What a
	// pause or a resume means is in its subscription's row, where claims look:
	// a delivery that waits is due if, and only if, its subscription is active,
	// be it PENDING or HELD. So the states of rows only tell people, and a
	// million of them need not be rewritten while publishers wait: see Label.
	relabelled = 1000
	// discardBatch is how many deliveries one transaction of DiscardBacklog drops.
	discardBatch = 1000
)

// Hold marks waiting deliveries of a subscription that was paused in tx as HELD,
// up to 1,000 of them; none is attempted, marked or not.
func Hold(ctx context.Context, tx *ent.Tx, subscription hark.ID) error {
	err := tx.Delivery.Update().Where(delivery.StatusEQ(hark.Pending), inLine(subscription, "next_attempt_at, sequence", relabelled, Barred)).
		SetStatus(hark.Held).Exec(ctx)
	if err != nil {
		return fmt.Errorf("hold waiting deliveries: %w", err)
	}
	return nil
}

// Unhold makes what a subscription that was resumed in tx has waiting due now,
// oldest first and before what is newer. Of more than 1,000 the others keep the
// status HELD until their turn comes, and a later attempt its time.
func Unhold(ctx context.Context, tx *ent.Tx, subscription hark.ID) error {
	for _, order := range []string{"next_attempt_at, sequence", "next_attempt_at DESC, sequence DESC"} {
		err := tx.Delivery.Update().
			Where(delivery.Or(delivery.StatusEQ(hark.Held), delivery.NextAttemptAtGT(hark.Now())), inLine(subscription, order, relabelled, Barred)).
			SetStatus(hark.Pending).
			// Its creation is a delivery's place in the line, as if it had never been tried.
			Modify(func(u *entsql.UpdateBuilder) {
				u.Set(delivery.FieldNextAttemptAt, entsql.Expr(delivery.FieldCreatedAt))
			}).Exec(ctx)
		if err != nil {
			return fmt.Errorf("release held deliveries: %w", err)
		}
	}
	return nil
}

// DiscardHeld drops all that a subscription has waiting, and says why. While it
// does, publishers wait: call DiscardBacklog first where there may be much.
func DiscardHeld(ctx context.Context, tx *ent.Tx, subscription hark.ID, reason string) error {
	err := tx.Delivery.Update().Where(delivery.StatusIn(hark.Pending, hark.Held), inLine(subscription, "next_attempt_at, sequence", math.MaxInt32, math.MaxInt64)).
		SetStatus(hark.Discarded).SetDiscardReason(reason).SetNextAttemptAt(0).Exec(ctx)
	if err != nil {
		return fmt.Errorf("discard held deliveries: %w", err)
	}
	return nil
}

// inLine picks the first n of what a subscription has waiting for a time below
// a limit, without tests.
func inLine(subscription hark.ID, order string, n int, below hark.Time) predicate.Delivery {
	return func(s *entsql.Selector) {
		s.Where(entsql.P(func(b *entsql.Builder) {
			b.WriteString("id IN (SELECT id FROM deliveries WHERE status IN ('PENDING', 'HELD') AND next_attempt_at > 1 AND next_attempt_at < ").
				Arg(int64(below)).WriteString(" AND subscription_id = ").Arg(subscription).WriteString(" ORDER BY " + order + " LIMIT " + strconv.Itoa(n) + ")")
		}))
	}
}

// DiscardBacklog drops what a paused subscription has waiting, in many small
// transactions between which publishers take their turns. Cut short, it has
// dropped the oldest; the subscription is to stay paused until it is done. It
// ends when the subscription is no longer as it was in version: whoever resumed
// it since gets what is left.
func (s *Store) DiscardBacklog(ctx context.Context, subscription hark.ID, version int64, reason string) error {
	for more := true; more; {
		err := s.Tx(ctx, func(tx *ent.Tx) (err error) {
			more, err = s.discardSome(ctx, tx, subscription, version, reason)
			return err
		})
		if err != nil {
			return fmt.Errorf("discard the backlog: %w", err)
		}
	}
	return nil
}

// discardSome is one transaction of DiscardBacklog.
func (s *Store) discardSome(ctx context.Context, tx *ent.Tx, subscription hark.ID, version int64, reason string) (more bool, err error) {
	still := "SELECT id FROM event_subscriptions WHERE id = ? AND NOT active AND version = ?"
	if s.dialect == dialect.Postgres { // a resume waits for this transaction; SQLite has the one writer
		still += " FOR SHARE"
	}
	rows, err := tx.QueryContext(ctx, s.rebind(still), subscription, version)
	if err != nil {
		return false, err
	}
	found, err := scanIDs(rows)
	if err != nil || len(found) == 0 {
		return false, err
	}
	query, args := s.discard(subscription, reason, discardBatch, "true")
	res, err := tx.ExecContext(ctx, s.rebind(query), args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == discardBatch, err
}

// discard is the statement that drops at most limit waiting deliveries of a
// subscription, the oldest ones, for which a condition with arguments holds.
func (s *Store) discard(subscription hark.ID, reason string, limit int, which string, args ...any) (query string, all []any) {
	return `UPDATE deliveries SET status = 'DISCARDED', discard_reason = ?, next_attempt_at = 0, updated_at = ?
		WHERE status IN ('PENDING', 'HELD') AND id IN (
			SELECT d.id FROM deliveries d WHERE d.status IN ('PENDING', 'HELD') AND d.subscription_id = ? AND ` + which + `
			ORDER BY d.next_attempt_at, d.sequence LIMIT ` + strconv.Itoa(limit) + s.skipLocked() + ")",
		append([]any{reason, hark.Now(), subscription}, args...)
}
