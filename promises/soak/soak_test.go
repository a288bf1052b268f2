package soak

import (
	"os"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

const (
	// shortTime, shortRate, in events a second, and shortRestarts are of the test
	// that runs with all others: it leaves the machine to them.
	shortTime     = 10 * time.Second
	shortRate     = 50.
	shortRestarts = 2
	// topTime is how long the top rate is measured, for a long soak.
	topTime = 10 * time.Second
	// longRestarts is how many a long soak has.
	longRestarts = 10
	// patience is how long hark may bring nothing while something is missing.
	patience = time.Minute
	// retention is short, so that it is at work in all of a long soak.
	retention = "1m"
)

// TestSoak publishes for SOAK_TIME at half of hark's top rate to subscribers of
// all protocols that fail, hang and break connections at random. In the first
// half hark is terminated and killed in turn; in the second it runs on, so that
// what leaks has time to show. At the end every event that was acknowledged to
// its publisher was acknowledged by every subscriber.
//
// Without SOAK_TIME it is short and slow.
func TestSoak(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t, "--log-level=info", "--retention="+retention)
	all := subscribers(t, n.Admin())
	p := &publishers{client: n.Admin(), acknowledged: make(map[int64]struct{})}

	length, rate, restarts := shortTime, shortRate, shortRestarts
	if text := os.Getenv("SOAK_TIME"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("SOAK_TIME: %v", err)
		}
		top := p.top(t, topTime, all)
		rate, restarts = top/2, longRestarts
		t.Logf("top rate %.0f events/s, %.0f deliveries/s; the soak has half of that for %v", top, top*float64(len(all)), length)
	}
	for _, s := range all {
		s.moody.Store(true)
	}

	p.start(t, rate)
	for i := range restarts {
		<-time.After(length / 2 / time.Duration(restarts))
		restart(t, n, i%2 == 1)
	}
	m := watchMemory(t, n, length/2)
	p.stop()

	settle(t, all, p.acknowledged)
	t.Logf("%d events acknowledged to publishers, %d calls refused during %d restarts", len(p.acknowledged), p.refused, restarts)
	for _, s := range all {
		t.Log(s)
	}
	m.check(t)
	stop(t, n)
}

// stop drains hark and ends it.
func stop(t *testing.T, n *testkit.Node) {
	t.Helper()
	if code := n.Stop(); code != 0 {
		t.Errorf("hark ended with exit code %d", code)
	}
	readLog(t, n)
}

// restart ends hark, by SIGKILL or by SIGTERM, and starts it again.
func restart(t *testing.T, n *testkit.Node, kill bool) {
	t.Helper()
	if kill {
		n.Kill()
		readLog(t, n)
	} else {
		stop(t, n)
	}
	n.Start()
}

// settle waits until every subscriber has acknowledged all events, and reports
// those of which nothing more comes.
func settle(t *testing.T, all []*subscriber, acknowledged map[int64]struct{}) {
	t.Helper()
	start := time.Now()
	progress, best := start, -1
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for time.Since(progress) < patience {
		missing := 0
		for _, s := range all {
			missing += len(s.missing(acknowledged))
		}
		if missing == 0 {
			t.Logf("the last delivery came %.1f s after the last event", time.Since(start).Seconds())
			return
		}
		if best < 0 || missing < best {
			progress, best = time.Now(), missing
		}
		<-tick.C
	}
	for _, s := range all {
		if missing := s.missing(acknowledged); len(missing) > 0 {
			t.Errorf("%s never acknowledged %d events, among them sequence %d", s.name, len(missing), missing[0])
		}
	}
}
