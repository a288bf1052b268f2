package pubsub_test

import (
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/pubsub/pubsubtest"
)

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	cluster := testkit.NewRedisCluster(t)
	pubsubtest.Run(t, func(t *testing.T) (a, b pubsub.Broker) {
		return dial(t, cluster.URL(), pubsub.Config{}), dial(t, cluster.URL(), pubsub.Config{})
	})
}

// A shard that is away takes its projects along; the others hear on, and when
// it is back, so do its own.
func TestRedisClusterShardGoesAway(t *testing.T) {
	t.Parallel()
	cluster := testkit.NewRedisCluster(t)
	a, b := dial(t, cluster.URL(), pubsub.Config{}), dial(t, cluster.URL(), pubsub.Config{})
	projects := make([]hark.ID, 12)
	ears := make([]*pubsubtest.Ear, len(projects))
	for i := range projects {
		projects[i] = hark.NewID()
		ears[i] = pubsubtest.Listen(t, a, b, projects[i])
	}
	for _, away := range []struct{ begin, end func() }{
		{cluster.Nodes[0].Stop, cluster.Nodes[0].Start},
		{cluster.Nodes[1].Pause, cluster.Nodes[1].Resume},
	} {
		away.begin()
		for _, p := range projects {
			a.Publish(p, []*hark.Event{pubsubtest.Event(p, 5, 10)}) // waits for nobody
		}
		tick := time.NewTicker(10 * time.Millisecond)
		for some := 0; some == 0; <-tick.C { // the others hear on
			for _, e := range ears {
				some += e.Waiting()
			}
		}
		tick.Stop()
		away.end()
		for i := range projects {
			ears[i].Cancel()
			ears[i] = pubsubtest.Listen(t, a, b, projects[i]) // hears again
		}
	}
}
