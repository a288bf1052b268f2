package subscriptions_test

import (
	"errors"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	entdelivery "github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestTestSendsASample(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t)
		other := n.subscribe(t)
		if _, err := n.Pause(as(t), row.ID); err != nil {
			t.Fatal(err)
		}
		n.driver.answer = func(*hark.Delivery) (delivery.Receipt, error) {
			return delivery.Receipt{StatusCode: 503, ResponseBody: "busy"}, errors.New("answered 503")
		}
		n.run(t)
		d, err := n.Test(as(t), row.ID) // also while it is paused
		if err != nil {
			t.Fatal(err)
		}
		if d.Status != hark.Failed || d.AttemptCount != 1 || d.LastError != "answered 503" || !d.Test {
			t.Errorf("%+v", d)
		}
		n.authority.allows = func(*hark.Event) bool { return false }
		e, err := n.Event(as(t), d)
		if err != nil || e.ProjectID != row.ProjectID || len(e.Payload) == 0 {
			t.Fatal(e, err)
		}
		if len(n.driver.got) != 1 || !n.driver.got[0].Test || n.driver.got[0].Event.ID != e.ID {
			t.Errorf("the subscriber got %d deliveries", len(n.driver.got))
		}
		if log, err := st.Read(t.Context(), row.ProjectID, 0, 10); err != nil || len(log) != 0 {
			t.Errorf("the log has %d events, %v", len(log), err)
		}
		if _, last, err := st.Bounds(t.Context(), row.ProjectID); err != nil || last != 0 {
			t.Errorf("the log ends at %d, %v", last, err)
		}
		if c := n.rows(t, entdelivery.SubscriptionID(other.ID)); len(c) != 0 {
			t.Errorf("another subscription got %d deliveries", len(c))
		}
		_, err = n.Test(as(t), hark.NewID())
		want(t, "unknown", err, hark.NotFound, "")
	})
}
