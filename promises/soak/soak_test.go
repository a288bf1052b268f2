package soak

import (
	"os"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

const (
	// shortTime and shortRate, in events a second, are of the test that runs with
	// all others: it leaves the machine to them.
	shortTime = 10 * time.Second
	shortRate = 50
	// topTime is how long the top rate is measured.
	topTime = 10 * time.Second
	// restarts is how many there are in the first half, if there is time for them.
	restarts = 10
	// minLife is the shortest time between two restarts.
	minLife = 2 * time.Second
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

	length, rate := shortTime, float64(shortRate)
	if text := os.Getenv("SOAK_TIME"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("SOAK_TIME: %v", err)
		}
		top := p.top(t, topTime, all)
		rate = top / 2
		t.Logf("top rate %.0f events/s, %.0f deliveries/s; the soak has half of that for %v", top, top*float64(len(all)), length)
	}
	for _, s := range all {
		s.moody.Store(true)
	}

	p.start(t, rate)
	life := max(length/2/(restarts+1), minLife)
	half, end := time.After(length/2), time.After(length)
	restart(t, n, life, half)
	m := watchMemory(t, n, length/2, end)
	p.stop()

	settle(t, all, p.acknowledged)
	t.Logf("%d events acknowledged to publishers, %d calls refused", len(p.acknowledged), p.refused)
	for _, s := range all {
		t.Log(s)
	}
	m.check(t)
	if code := n.Stop(); code != 0 {
		t.Errorf("hark ended with exit code %d", code)
	}
	readLog(t, n)
}

// restart ends hark after each life, by SIGTERM and SIGKILL in turn, and starts
// it again, until the time is up.
func restart(t *testing.T, n *testkit.Node, life time.Duration, up <-chan time.Time) {
	t.Helper()
	tick := time.NewTicker(life)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-up:
			t.Logf("%d restarts", i)
			return
		}
		if i%2 == 1 {
			n.Kill()
		} else if code := n.Stop(); code != 0 {
			t.Errorf("hark ended with exit code %d", code)
		}
		readLog(t, n)
		n.Start()
	}
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
