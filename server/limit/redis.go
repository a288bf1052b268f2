package limit

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hark-events/hark/pubsub"
)

// Times of Redis: a limit is not worth waiting for.
const (
	redisTimeout = 200 * time.Millisecond
	redisRest    = time.Second // after a failure nobody asks
)

// Redis are buckets in Redis, which all nodes share.
type Redis struct {
	client redis.UniversalClient
	script *redis.Script
	rest   atomic.Int64 // until when nobody asks, in Unix nanoseconds
}

var _ Buckets = (*Redis)(nil)

// NewRedis makes buckets in the Redis at url, as pubsub.NewRedis reads it. It
// connects when it is first used; Close it.
func NewRedis(url string) (*Redis, error) {
	client, err := pubsub.NewClient(url)
	if err != nil {
		return nil, err
	}
	return &Redis{client: client, script: redis.NewScript(take)}, nil
}

// take is local.Take, by the clock of Redis and in microseconds.
const take = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or now)
if full < now then full = now end
full = full + interval
local wait = full - now - burst * interval
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0`

// Take implements Buckets.
func (r *Redis) Take(ctx context.Context, name string, interval time.Duration, burst int) (time.Duration, error) {
	if time.Now().UnixNano() < r.rest.Load() {
		return 0, errors.New("redis: it did not answer a moment ago")
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	wait, err := r.script.Run(ctx, r.client, []string{"hark:limit:{" + name + "}"}, interval.Microseconds(), burst).Int64()
	if err != nil {
		r.rest.Store(time.Now().Add(redisRest).UnixNano())
		return 0, fmt.Errorf("redis: %w", err)
	}
	return time.Duration(wait) * time.Microsecond, nil
}

// Close ends the connections.
func (r *Redis) Close() error { return r.client.Close() }
