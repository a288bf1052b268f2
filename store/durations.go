package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hark-events/hark"
)

// A Duration is how many attempts took about as long: alike in their first
// three digits, in nanoseconds.
type Duration struct {
	Least               time.Duration // what any of them took at least, less than 1 % too little
	Attempts, Succeeded int
}

// Durations counts the attempts of a subscription that started in [from, to) by
// what they took, the shortest first. It reads each once and sorts none: there
// may be a million, but of different first digits there are some thousand at most.
func (s *Store) Durations(ctx context.Context, subscription hark.ID, from, to hark.Time) (list []Duration, err error) {
	rows, err := s.reader.QueryContext(ctx, s.rebind(`SELECT length(took), CAST(substr(took, 1, 3) AS bigint), count(*), sum(CASE WHEN error = '' THEN 1 ELSE 0 END)
		FROM (SELECT CAST(duration_ns AS text) AS took, error FROM delivery_attempts WHERE subscription_id = ? AND started_at >= ? AND started_at < ?) AS a
		GROUP BY 1, 2`), subscription, from, to)
	if err != nil {
		return nil, fmt.Errorf("count durations: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var digits int
		var d Duration
		if err := rows.Scan(&digits, &d.Least, &d.Attempts, &d.Succeeded); err != nil {
			return nil, fmt.Errorf("count durations: %w", err)
		}
		for range digits - 3 {
			d.Least *= 10
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Duration) int { return cmp.Compare(a.Least, b.Least) })
	return list, rows.Err()
}
