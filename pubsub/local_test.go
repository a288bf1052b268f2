package pubsub_test

import (
	"testing"

	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/pubsub/pubsubtest"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	pubsubtest.Run(t, func(t *testing.T) (a, b pubsub.Broker) {
		l := pubsub.NewLocal()
		t.Cleanup(func() { _ = l.Close() })
		return l, l
	})
}
