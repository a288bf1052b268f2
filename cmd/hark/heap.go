package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// heapFloor is in bytes, garbage in percent of the heap: so much garbage may
	// wait for the collector.
	heapFloor = 96 << 20
	garbage   = 20

	// quiet is how many bytes are allocated in quietTime at most by a process
	// that does nothing to speak of; of more than burst it has something to give back.
	quiet     = 2 << 20
	quietTime = 500 * time.Millisecond
	burst     = 64 << 20
)

// floor keeps the collector away from a small heap. The live heap is a few
// megabytes, so a busy node would collect garbage twenty times a second: a fifth
// of its processor time, measured. The floor's bytes are never touched and cost
// address space alone; they put a collection off until a fifth as many have been
// allocated. With three times as much garbage, publishing in batches takes a tenth
// less time, but ten thousand WebSockets leave 9.2 KB each instead of 7.4: their
// few objects that stay are strewn over the pages of those that do not. An
// operator's GOGC holds.
func floor() []byte {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	return make([]byte, heapFloor)
}

// tidy gives back to the system what a burst of work has left, once it is over,
// until ctx ends: ten thousand clients that come at once take more for their
// beginnings than for all the time that they stay, and a quiet process may not
// collect garbage for minutes.
func tidy(ctx context.Context) error {
	tick := time.NewTicker(quietTime)
	defer tick.Stop()
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	last, tidied := uint64(0), uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		metrics.Read(allocated)
		now := allocated[0].Value.Uint64()
		if now-last < quiet && now-tidied > burst {
			debug.FreeOSMemory()
			tidied = now
		}
		last = now
	}
}
