package pubsub

import (
	"context"
	"math/rand/v2"
	"time"
)

// pause waits before try number n, from 0 on: about 50 ms, doubled up to about
// 2 s, a quarter of it by chance, so that nodes do not come back in step. It
// returns early when ctx ends.
func pause(ctx context.Context, n int) {
	d := 50 * time.Millisecond << min(n, 5)
	t := time.NewTimer(d + rand.N(d/4))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
