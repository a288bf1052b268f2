package promises

import (
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestCrashes kills a node three times under load.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]func(*testing.T) []string{
		"sqlite": func(*testing.T) []string { return nil },
		"postgres": func(t *testing.T) []string {
			return []string{"--database-url=" + testkit.Postgres(t), "--migrate"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := testkit.Hark(t, flags(t)...)
			s := newSubscriber(t, nil)
			create(t, n.Admin(), input(t, n.Admin(), s.url))
			first := mustPublish(t, n.Admin(), 1)
			f := follow(t, n.Admin(), first[0].Cursor)

			l := startLoad(t, n.Admin())
			for range 3 {
				l.waitFor(t, 200)
				n.Kill()
				n.Start()
			}
			l.waitFor(t, 200)
			l.stop()

			log := readLog(t, n.Admin())
			l.check(t, log)
			f.waitUntil(t, 2, int64(len(log)))
			s.waitAll(t, int64(len(log)))
			f.look(func() {
				if f.cuts < 3 {
					t.Errorf("the stream was cut %d times, not 3", f.cuts)
				}
			})
		})
	}
}
