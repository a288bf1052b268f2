package promises

import (
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestDatabaseGoesAway crashes PostgreSQL twice under load, and the node lives
// on: what it answered is there, its stream is not cut, its callbacks go on.
func TestDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	pg := testkit.PostgresServer(t, true)
	n := testkit.Hark(t, "--database-url="+pg.URL(), "--migrate")
	s := newSubscriber(t, nil)
	create(t, n.Admin(), input(t, n.Admin(), s.url))
	first := mustPublish(t, n.Admin(), 1)
	f := follow(t, n.Admin(), first[0].Cursor)

	l := startLoad(t, n.Admin())
	for range 2 {
		l.waitFor(t, 100)
		pg.Kill()
		refused := 0
		l.look(func() { refused = l.refused })
		l.wait(t, "a publisher that is refused", func() bool { return l.refused > refused })
		pg.Start()
	}
	l.waitFor(t, 100)
	l.stop()

	log := readLog(t, n.Admin())
	l.check(t, log)
	f.waitUntil(t, 2, int64(len(log)))
	s.waitAll(t, int64(len(log)))
	waitForDeliveries(t, n.Admin(), s, len(log))
	f.look(func() {
		if f.cuts > 0 {
			t.Errorf("the stream was cut %d times", f.cuts)
		}
	})
}
