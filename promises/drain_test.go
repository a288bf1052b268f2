package promises

import (
	"sync/atomic"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestDrain terminates a node under load, with attempts in flight: they end and
// are recorded, once, and what is left is done after the next start.
func TestDrain(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	var through atomic.Bool
	release := make(chan struct{})
	s := newSubscriber(t, func() {
		if !through.Load() {
			<-release
		}
	})
	in := input(t, n.Admin(), s.url)
	in["timeoutSeconds"] = 15 // the attempts in flight must live until release
	in["maxInFlight"] = 8
	create(t, n.Admin(), in)
	first := mustPublish(t, n.Admin(), 1)
	f := follow(t, n.Admin(), first[0].Cursor)
	l := startLoad(t, n.Admin())
	l.waitFor(t, 50)
	s.wait(t, "attempts in flight", func() bool { return s.held == 8 })

	n.Terminate()
	f.wait(t, "the end of the stream", func() bool { return f.cuts > 0 })
	through.Store(true)
	close(release)
	if code := n.Wait(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, n.Log())
	}
	l.stop()

	n.Start()
	log := readLog(t, n.Admin())
	l.check(t, log)
	f.waitUntil(t, 2, int64(len(log)))
	s.waitAll(t, int64(len(log)))
	waitForDeliveries(t, n.Admin(), s, len(log))
	readDeliveries(t, n.Admin(), func(id, status string, attempts []int) {
		if len(attempts) != 1 || attempts[0] != 1 {
			t.Errorf("delivery %s is %s after the attempts %v", id, status, attempts)
		}
	})
	s.look(func() {
		for id, n := range s.attempts {
			if n != 1 {
				t.Errorf("delivery %s was sent %d times", id, n)
			}
		}
	})
}
