package promises

import (
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// delivered is the state of deliveries as the API tells it.
type delivered struct {
	Deliveries struct {
		Nodes []struct {
			ID           string
			Status       string
			AttemptCount int
			Attempts     []struct{ Number int }
			Event        struct{ Sequence int64 }
		}
		PageInfo struct {
			HasNextPage bool
			EndCursor   *string
		}
	}
}

// readDeliveries reads all deliveries, by their id.
func readDeliveries(t *testing.T, c testkit.Client, each func(id, status string, attempts []int)) (n int) {
	t.Helper()
	var after *string
	for {
		page := testkit.MustCall[delivered](t, c, `query($after: String) { deliveries(first: 200, after: $after) {
			nodes { id status attemptCount attempts { number } event { sequence } } pageInfo { hasNextPage endCursor } } }`, testkit.Vars{"after": after}).Deliveries
		for _, d := range page.Nodes {
			var attempts []int
			for _, a := range d.Attempts {
				attempts = append(attempts, a.Number)
			}
			// While it is under way, its attempts are read later than it is.
			if d.Status == "SUCCEEDED" && d.AttemptCount != len(attempts) {
				t.Errorf("delivery %s counts %d attempts and lists %v", d.ID, d.AttemptCount, attempts)
			}
			each(d.ID, d.Status, attempts)
			n++
		}
		if !page.PageInfo.HasNextPage {
			return n
		}
		after = page.PageInfo.EndCursor
	}
}

// TestLeasesPassToAnotherNode kills one of two nodes while its attempts are in
// flight: the other makes them again when the leases have run out.
func TestLeasesPassToAnotherNode(t *testing.T) {
	t.Parallel()
	a := testkit.NewNode(t, "--database-url="+testkit.Postgres(t), "--redis-url="+testkit.Redis(t).URL(), "--migrate")
	b := a.Beside()
	testkit.StartAll(t, a, b)

	killed := make(chan struct{})
	s := newSubscriber(t, func() { <-killed })
	create(t, a.Admin(), input(t, a.Admin(), s.url))
	const events = 100
	mustPublish(t, a.Admin(), events)
	s.wait(t, "attempts in flight", func() bool { return s.held > 0 })
	a.Kill()
	close(killed)

	s.waitAll(t, events)
	waitForDeliveries(t, b.Admin(), s, events)
	s.look(func() {
		again := 0
		for _, n := range s.sent {
			again += n - 1
		}
		if again == 0 {
			t.Error("no attempt was made again: the node was killed too late")
		}
	})
}

// waitForDeliveries waits until n deliveries have succeeded. The outcome of an
// attempt is written shortly after the subscriber has answered.
func waitForDeliveries(t *testing.T, c testkit.Client, s *subscriber, n int) {
	t.Helper()
	eventually(t, "the deliveries to have succeeded", func() bool {
		done := 0
		readDeliveries(t, c, func(_, status string, _ []int) {
			if status == "SUCCEEDED" {
				done++
			}
		})
		return done == n
	})
}
