package pubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// noteTimeout is how long a note may take: a client that comes back waits for it.
const noteTimeout = 2 * time.Second

// PutNote leaves a note for any node, for a while. What Redis forgets is lost.
func (r *Redis) PutNote(ctx context.Context, name string, note []byte, stays time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	if err := r.network.commands().Set(ctx, noteKey(name), note, stays).Err(); err != nil {
		return fmt.Errorf("put a note: %w", err)
	}
	return nil
}

// Note reads a note; nil: there is none.
func (r *Redis) Note(ctx context.Context, name string) (note []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	note, err = r.network.commands().Get(ctx, noteKey(name)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a note: %w", err)
	}
	return note, nil
}

// DropNote drops a note, if it is there.
func (r *Redis) DropNote(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	if err := r.network.commands().Del(ctx, noteKey(name)).Err(); err != nil {
		return fmt.Errorf("drop a note: %w", err)
	}
	return nil
}

func noteKey(name string) string { return "hark:{" + name + "}:note" }
