package pubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// noteTimeout is how long a note may take: it is worth little.
const noteTimeout = 500 * time.Millisecond

// PutNote leaves a note for any node, for a while. What Redis forgets is lost.
func (r *Redis) PutNote(ctx context.Context, name string, note []byte, stays time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	if err := r.network.commands().Set(ctx, noteKey(name), note, stays).Err(); err != nil {
		return fmt.Errorf("put a note: %w", err)
	}
	return nil
}

// TakeNote takes a note, which nobody gets again; nil: there is none.
func (r *Redis) TakeNote(ctx context.Context, name string) (note []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	note, err = r.network.commands().GetDel(ctx, noteKey(name)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take a note: %w", err)
	}
	return note, nil
}

func noteKey(name string) string { return "hark:{" + name + "}:note" }
