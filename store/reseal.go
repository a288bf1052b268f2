package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"entgo.io/ent/dialect"

	"github.com/hark-events/hark"
)

// sealedColumns are the columns with sealed values; what seals them also seals
// the id of the row.
func sealedColumns() [][2]string {
	return [][2]string{
		{"event_subscriptions", "credentials"},
		{"event_subscriptions", "signing_secret"},
		{"event_subscriptions", "previous_secret"},
		{"signing_keys", "private_key"},
	}
}

// resealEvery is how often KeepSealed looks whether the keys have changed.
const resealEvery = 5 * time.Second

// KeepSealed seals everything with the first key, at the start and whenever the
// key file changes, until ctx ends. What can't be opened it tells each time;
// sealed is told how many values it has sealed anew, and with which key.
func (s *Store) KeepSealed(ctx context.Context, log *slog.Logger, sealed func(ctx context.Context, key string, values int) error) error {
	tick := time.NewTicker(resealEvery)
	defer tick.Stop()
	var done, failed string
	for {
		_, err := s.sealer.Refresh()
		key := s.sealer.IDs()[0]
		if err == nil && key != done {
			var n int
			if n, err = s.Reseal(ctx, func(table string, id hark.ID, err error) {
				log.Error("a sealed value can't be opened: bring its key back, or give the subscription new credentials and a new signing secret",
					"table", table, "subscription", id, "err", err)
			}); err == nil {
				done = key
			}
			if n > 0 {
				err = errors.Join(err, sealed(ctx, key, n))
				log.Info("sealed anew", "values", n, "key", key)
			}
		}
		if err != nil && ctx.Err() == nil && err.Error() != failed { // told once, not at every tick
			log.Error("seal anew", "err", err)
		}
		if failed = ""; err != nil {
			failed = err.Error()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// resealBatch is how many values are read at a time.
const resealBatch = 100

// Reseal seals anew, with the first key, all that is sealed with another one,
// and counts it. Of what can't be opened lost tells, once for each row; it stays
// as it is. Others may work on the database meanwhile: a value that they change
// is theirs. Cut short, it is done in part, and calling it again does the rest.
func (s *Store) Reseal(ctx context.Context, lost func(table string, id hark.ID, err error)) (n int, err error) {
	told := map[hark.ID]bool{}
	for _, c := range sealedColumns() {
		for behind, more := (hark.ID{}), true; more; {
			values, err := s.sealedOtherwise(ctx, c[0], c[1], behind)
			if err != nil {
				return n, fmt.Errorf("seal anew: %w", err)
			}
			for _, v := range values {
				plain, err := s.sealer.Open(v.sealed, v.id[:])
				if err != nil {
					if !told[v.id] {
						told[v.id] = true
						lost(c[0], v.id, err)
					}
					continue
				}
				changed, err := s.exec(ctx, "UPDATE "+c[0]+" SET "+c[1]+" = ? WHERE id = ? AND "+c[1]+" = ?",
					s.sealer.Seal(plain, v.id[:]), v.id, v.sealed)
				if err != nil {
					return n, fmt.Errorf("seal anew: %w", err)
				}
				n += int(changed)
			}
			if more = len(values) == resealBatch; more {
				behind = values[len(values)-1].id
			}
		}
	}
	return n, nil
}

type sealedValue struct {
	id     hark.ID
	sealed []byte
}

// sealedOtherwise reads a batch of values of a column, behind an id, that are
// not sealed with the first key.
func (s *Store) sealedOtherwise(ctx context.Context, table, column string, behind hark.ID) (values []sealedValue, err error) {
	rows, err := s.reader.QueryContext(ctx, s.rebind(fmt.Sprintf(
		"SELECT id, %[2]s FROM %[1]s WHERE id > ? AND length(%[2]s) > 0 AND substr(%[2]s, 1, %[3]d) <> ? ORDER BY id LIMIT %[4]d",
		table, column, len(s.sealer.Header()), resealBatch)), behind, s.sealer.Header())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var v sealedValue
		if err := rows.Scan(&v.id, &v.sealed); err != nil {
			return nil, err
		}
		v.sealed = bytes.Clone(v.sealed)
		values = append(values, v)
	}
	return values, rows.Err()
}

// SealedWith counts the sealed values by the id of the key that seals them,
// whether there is such a key or not. A database without a schema has none.
func (s *Store) SealedWith(ctx context.Context) (keys map[string]int, err error) {
	keys = map[string]int{}
	for _, c := range sealedColumns() {
		there, err := s.hasTable(ctx, c[0])
		if err != nil {
			return nil, fmt.Errorf("count sealed values: %w", err)
		}
		if !there {
			continue
		}
		rows, err := s.reader.QueryContext(ctx, fmt.Sprintf(
			"SELECT substr(%[2]s, 2, 4), count(*) FROM %[1]s WHERE length(%[2]s) > 4 GROUP BY substr(%[2]s, 2, 4)", c[0], c[1]))
		if err != nil {
			return nil, fmt.Errorf("count sealed values: %w", err)
		}
		for rows.Next() {
			var id []byte
			var n int
			if err = rows.Scan(&id, &n); err != nil {
				break
			}
			keys[hex.EncodeToString(id)] += n
		}
		if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("count sealed values: %w", err)
		}
	}
	return keys, nil
}

func (s *Store) hasTable(ctx context.Context, name string) (there bool, err error) {
	query := "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?)"
	if s.dialect == dialect.Postgres {
		query = "SELECT to_regclass($1::text) IS NOT NULL"
	}
	err = s.reader.QueryRowContext(ctx, query, name).Scan(&there)
	return there, err
}
