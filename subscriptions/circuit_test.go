package subscriptions_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/subscriptions"
)

// TestCircuit has an endpoint fail until its circuit opens, and mended by an
// update that points elsewhere.
func TestCircuit(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		var well atomic.Bool
		n.driver.answer = func(*hark.Delivery) (delivery.Receipt, error) {
			if well.Load() {
				return delivery.Receipt{StatusCode: 200}, nil
			}
			return delivery.Receipt{StatusCode: 503}, errors.New("answered 503")
		}
		row := n.subscribe(t)
		n.run(t)
		health := func() hark.SubscriptionHealth {
			now, err := n.Get(as(t), row.ID)
			if err != nil {
				t.Fatal(err)
			}
			row = now
			return subscriptions.Health(now)
		}
		events := n.publish(t, 200)
		n.worker.Wake()
		eventually(t, "the circuit is open", func() bool { return health() == hark.Open })
		eventually(t, "what was under way has ended", func() bool { return n.counts(t, row.ID)[hark.InProgress] == 0 })
		var last *hark.Event
		for _, e := range events {
			x, err := n.Explain(as(t), row, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if x.Outcome != subscriptions.CircuitOpen {
				t.Errorf("%s: %s", x.Outcome, x.Detail)
			}
			if x.Delivery.AttemptCount == 0 {
				last = e
			}
		}
		if last == nil {
			t.Error("every delivery was attempted, circuit or not")
		}
		list, err := n.List(as(t), &subscriptions.EventSubscriptionFilter{Health: ref(hark.Open)}, nil, nil)
		if err != nil || len(list.Items) != 1 {
			t.Errorf("listed as open: %d, %v", len(list.Items), err)
		}
		well.Store(true)
		if _, err := n.Update(as(t), row.ID, subscriptions.UpdateEventSubscriptionInput{DeliveryEndpoint: ref("http://127.0.0.1:1/mended")}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the circuit is closed", func() bool { return health() == hark.Healthy })
		eventually(t, "what was never attempted is delivered", func() bool { return n.outcome(t, row, last) == subscriptions.Matched })
	})
}
