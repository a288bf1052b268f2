package server_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark"
)

// What a subscriber costs who does not read, beside the socket's own buffers:
// less than 64 KiB and the one message that is being written to it, where that
// is longer. Each has an id of its own, so no two are written the same bytes. It
// is no parallel test, as it measures the process.
func TestMemoryOfWhoDoesNotRead(t *testing.T) {
	for name, tt := range map[string]struct{ payload, events, most int }{
		"small messages":           {1000, 12_000, 64 << 10},
		"messages of 256 KiB each": {256 << 10, 48, 64<<10 + 256<<10},
	} {
		t.Run(name, func(t *testing.T) { memoryOfWhoDoesNotRead(t, tt.payload, tt.events, int64(tt.most)) })
	}
}

func memoryOfWhoDoesNotRead(t *testing.T, size, events int, most int64) {
	f := start(t)
	const readers = 40
	payload := `"` + strings.Repeat("x", size) + `"`
	for range 9 {
		f.log.append(payload)
	}
	begin := hark.Cursor{Project: f.log.project}.String()
	var sockets []*socket
	for range readers {
		s := f.dial(t, "graphql-transport-ws")
		s.init()
		sockets = append(sockets, s)
	}
	for range events { // more than the system buffers
		f.log.append(payload)
	}
	query := `subscription{projectEvents(filter:{},after:"` + begin + `"){sequence payload}}`
	first := f.dial(t, "graphql-transport-ws") // who has everything kept that is shared
	first.init()
	first.say(sub("first", query))
	for range events + 9 {
		first.hear()
	}
	first.say(`{"id":"first","type":"complete"}`)
	f.members(t, 0)
	measure := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	before := measure()
	eventually(t, func() bool { // the first one's own is gone
		last := before
		before = measure()
		return last-before < 1<<10
	})
	for i, s := range sockets {
		s.say(sub(fmt.Sprint(i), query))
	}
	f.members(t, readers)
	const shared = 1 << 20 // the answers that the group keeps for all
	each, sent, since := int64(0), uint64(0), time.Now()
	// Nothing is written any more, and nobody is closed yet: who is, after 10 s,
	// does not come back. Before, some may change to a group that is further back.
	eventually(t, func() bool {
		stats := f.groups.Stats()
		if stats.Sent != sent {
			sent, since = stats.Sent, time.Now()
		}
		each = (measure() - before - shared) / readers
		return time.Since(since) > 300*time.Millisecond && stats.Members == readers && each <= most
	})
	t.Logf("%d bytes for each", each)
}
