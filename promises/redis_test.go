package promises

import (
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

// A redisLike is one Redis, or a cluster.
type redisLike interface {
	URL() string
	Stop()
	Start()
	Pause()
	Resume()
}

// TestRedisGoesAway stops and then pauses Redis in the middle of two nodes' streams.
func TestRedisGoesAway(t *testing.T) {
	t.Parallel()
	redisGoesAway(t, testkit.Redis(t), 2)
}

// TestRedisClusterGoesAway is TestRedisGoesAway with three of each.
func TestRedisClusterGoesAway(t *testing.T) {
	t.Parallel()
	redisGoesAway(t, testkit.NewRedisCluster(t), 3)
}

func redisGoesAway(t *testing.T, r redisLike, n int) {
	t.Helper()
	a := testkit.NewNode(t, "--database-url="+testkit.Postgres(t), "--redis-url="+r.URL(), "--migrate")
	nodes := []*testkit.Node{a}
	for len(nodes) < n {
		nodes = append(nodes, a.Beside())
	}
	testkit.StartAll(t, nodes...)
	first := mustPublish(t, a.Admin(), 1)
	var followers []*follower
	var clients []testkit.Client
	for _, n := range nodes {
		followers = append(followers, follow(t, n.Admin(), first[0].Cursor))
		clients = append(clients, n.Admin())
	}
	b := nodes[1]

	last := int64(1)
	// streamed publishes on both nodes, one event after the other, and waits for
	// them on both. A publish that waited for Redis would wait for its time-outs,
	// seconds each.
	streamed := func(when string) {
		t.Helper()
		begin := time.Now()
		for range 20 {
			for _, n := range nodes {
				last = mustPublish(t, n.Admin(), 1)[0].Sequence
			}
		}
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("%d publishes while Redis was %s took %v", 20*n, when, took)
		}
		for _, f := range followers {
			f.waitUntil(t, 2, last)
		}
	}
	streamed("up")
	r.Stop()
	streamed("down")
	r.Start()
	streamed("up again")
	r.Pause()
	streamed("paused")
	r.Resume()

	l := startLoad(t, clients...)
	for _, f := range []func(){r.Stop, r.Start, r.Pause, r.Resume} {
		l.waitFor(t, 100)
		f()
	}
	l.waitFor(t, 100)
	l.stop()
	log := readLog(t, b.Admin())
	l.check(t, log)
	for _, f := range followers {
		f.waitUntil(t, 2, int64(len(log)))
		f.look(func() {
			if f.cuts > 0 {
				t.Error("a stream was cut: it has to outlive Redis")
			}
		})
	}
	if l.refused > 0 {
		t.Errorf("%d publishes failed", l.refused)
	}
}
