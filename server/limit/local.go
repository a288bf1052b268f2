package limit

import (
	"context"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxBuckets is how many buckets a node keeps; whoever has not come for the
// longest loses its own, which is then full.
const maxBuckets = 65_536

// local are buckets in memory.
type local struct {
	mu   sync.Mutex
	full *lru.Cache[string, time.Time] // when each bucket will be full again
}

func newLocal() *local {
	c, err := lru.New[string, time.Time](maxBuckets)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &local{full: c}
}

// Take implements Buckets. A bucket is one time: when it will be full (GCRA).
func (l *local) Take(_ context.Context, name string, interval time.Duration, burst int) (wait time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	full, _ := l.full.Get(name)
	if full.Before(now) {
		full = now
	}
	full = full.Add(interval)
	if wait := full.Sub(now) - time.Duration(burst)*interval; wait > 0 {
		return wait, nil
	}
	l.full.Add(name, full)
	return 0, nil
}
