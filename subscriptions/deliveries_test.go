package subscriptions_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/ent"
	entdelivery "github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/subscriptions"
)

// flaky fails every third attempt.
func flaky() func(*hark.Delivery) (delivery.Receipt, error) {
	var n atomic.Int64
	return func(*hark.Delivery) (delivery.Receipt, error) {
		if n.Add(1)%3 == 0 {
			return delivery.Receipt{StatusCode: 500}, errors.New("answered 500")
		}
		return delivery.Receipt{StatusCode: 200}, nil
	}
}

func TestDeliveriesAreRetriedAndDiscarded(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t)
		n.publish(t, 4)
		ds := n.claim(t, row.ID)
		failed, done, waits, running := ds[0], ds[1], ds[2], ds[3]
		n.record(t, failed, hark.Failed, 0)
		n.record(t, done, hark.Succeeded, 0)
		n.record(t, waits, hark.Pending, 0)
		for _, d := range []*hark.Delivery{failed, done, waits} {
			before := hark.Now()
			got, err := n.Retry(as(t), d.ID)
			if err != nil || got.Status != hark.Pending || got.NextAttemptAt < before || got.NextAttemptAt > hark.Now() || got.AttemptCount != 1 {
				t.Error(got, err)
			}
		}
		_, err := n.Retry(as(t), running.ID)
		want(t, "retry under way", err, hark.Conflict, "")
		_, err = n.Discard(as(t), running.ID)
		want(t, "discard under way", err, hark.Conflict, "")

		again := n.claim(t, row.ID)
		if len(again) != 3 || again[0].Attempt != 2 {
			t.Fatalf("%d deliveries are due again", len(again))
		}
		n.record(t, again[0], hark.Succeeded, 0)
		_, err = n.Discard(as(t), again[0].ID)
		want(t, "discard what succeeded", err, hark.Conflict, "")
		n.record(t, again[1], hark.Failed, 0)
		got, err := n.Discard(as(t), again[1].ID)
		if err != nil || got.Status != hark.Discarded || got.DiscardReason != "discarded by tester" || got.NextAttemptAt != 0 {
			t.Error(got, err)
		}
		if got, err = n.Retry(as(t), got.ID); err != nil || got.Status != hark.Pending || got.DiscardReason != "" {
			t.Error(got, err)
		}
		attempts, err := n.Attempts(as(t), got)
		if err != nil || len(attempts) != 2 || attempts[0].Number != 1 || attempts[1].Number != 2 {
			t.Error(attempts, err)
		}
		for what, f := range map[string]func() error{
			"retry":   func() error { _, err := n.Retry(as(t), hark.NewID()); return err },
			"discard": func() error { _, err := n.Discard(as(t), hark.NewID()); return err },
			"read":    func() error { _, err := n.Delivery(as(t), hark.NewID()); return err },
		} {
			want(t, what, f(), hark.NotFound, "")
		}
		n.authority.denied = hark.ManageDeliveries
		_, err = n.Retry(as(t), failed.ID)
		want(t, "not allowed", err, hark.Forbidden, "")
		n.authority.hidden = row.ProjectID
		_, err = n.Delivery(as(t), failed.ID)
		want(t, "out of sight", err, hark.NotFound, "")
	})
}

func TestReplay(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t)
		start := hark.Now()
		n.publish(t, 600)
		n.publish(t, 597)
		other := n.subscribe(t)
		n.publish(t, 3)
		ds := n.claim(t, row.ID)
		attempts := make([]*hark.Attempt, len(ds))
		for i, d := range ds {
			attempts[i] = &hark.Attempt{Delivery: d, StartedAt: hark.Now(), StatusCode: 500, Error: "answered 500", Status: hark.Failed}
			if i%3 == 0 {
				attempts[i].Status, attempts[i].Error = hark.Succeeded, ""
			}
		}
		if err := st.Record(t.Context(), attempts); err != nil {
			t.Fatal(err)
		}
		replay := func(in subscriptions.ReplayDeliveriesInput) int {
			t.Helper()
			in.EventSubscriptionID = row.ID
			scheduled, err := n.Replay(as(t), in)
			if err != nil {
				t.Fatal(err)
			}
			return scheduled
		}
		if got := replay(subscriptions.ReplayDeliveriesInput{Since: hark.Now()}); got != 0 {
			t.Errorf("%d deliveries of the future", got)
		}
		if got := replay(subscriptions.ReplayDeliveriesInput{Until: &start}); got != 0 {
			t.Errorf("%d deliveries of the past", got)
		}
		if got := replay(subscriptions.ReplayDeliveriesInput{Status: []hark.DeliveryStatus{hark.Pending, hark.InProgress}}); got != 0 {
			t.Errorf("%d deliveries that were under way", got)
		}
		if got := replay(subscriptions.ReplayDeliveriesInput{}); got != 800 {
			t.Errorf("%d dead letters, want 800", got)
		}
		if got := replay(subscriptions.ReplayDeliveriesInput{}); got != 0 {
			t.Errorf("%d dead letters are scheduled twice", got)
		}
		if got := replay(subscriptions.ReplayDeliveriesInput{Status: []hark.DeliveryStatus{hark.Succeeded, hark.Failed}}); got != 400 {
			t.Errorf("%d of what succeeded, want 400", got)
		}
		again := n.claim(t, row.ID)
		if len(again) != 1200 || !slices.IsSortedFunc(again[:800], func(a, b *hark.Delivery) int { return int(a.Event.Sequence - b.Event.Sequence) }) {
			t.Errorf("%d deliveries are due, not the oldest first", len(again))
		}
		if again[0].ID != ds[1].ID {
			t.Error("a delivery was replayed under another id")
		}
		if c := n.counts(t, other.ID); c[hark.Pending] != 3 {
			t.Errorf("another subscription has %v", c)
		}
		_, err := n.Replay(as(t), subscriptions.ReplayDeliveriesInput{EventSubscriptionID: row.ID, Since: 2, Until: ref(hark.Time(1))})
		want(t, "since after until", err, hark.BadUserInput, "input.since")
		_, err = n.Replay(as(t), subscriptions.ReplayDeliveriesInput{EventSubscriptionID: hark.NewID()})
		want(t, "unknown", err, hark.NotFound, "")
	})
}

func TestListsStayStable(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t)
		n.publish(t, 25)
		there := map[hark.ID]bool{}
		for _, d := range n.rows(t) {
			there[d.ID] = true
		}
		first := 4
		var after *string
		seen := map[hark.ID]bool{}
		for {
			n.publish(t, 3) // rows are added in front
			list, err := n.Deliveries(as(t), &subscriptions.DeliveryFilter{EventSubscriptionID: &row.ID}, &first, after)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list.Items {
				if seen[d.ID] {
					t.Fatalf("delivery %s is on two pages", d.ID)
				}
				seen[d.ID] = true
			}
			if !list.More {
				break
			}
			after = ref(cursor(list.Items[len(list.Items)-1].ID))
		}
		for id := range there {
			if !seen[id] {
				t.Errorf("delivery %s is on no page", id)
			}
		}
	})
}

func TestDeliveriesAreFiltered(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	one, two := n.subscribe(t), n.subscribe(t)
	events := n.publish(t, 3)
	n.record(t, n.claim(t, one.ID)[0], hark.Failed, 0)
	middle := hark.Now()
	late := n.publish(t, 1)[0]
	for name, tt := range map[string]struct {
		filter subscriptions.DeliveryFilter
		want   int
	}{
		"all":             {subscriptions.DeliveryFilter{}, 8},
		"subscription":    {subscriptions.DeliveryFilter{EventSubscriptionID: &one.ID}, 4},
		"event":           {subscriptions.DeliveryFilter{EventID: &events[0].ID}, 2},
		"status":          {subscriptions.DeliveryFilter{Status: []hark.DeliveryStatus{hark.Failed}}, 1},
		"two states":      {subscriptions.DeliveryFilter{Status: []hark.DeliveryStatus{hark.Failed, hark.Pending}}, 6},
		"no states":       {subscriptions.DeliveryFilter{Status: []hark.DeliveryStatus{}}, 8},
		"since":           {subscriptions.DeliveryFilter{Since: &late.PublishedAt}, 2},
		"until":           {subscriptions.DeliveryFilter{Until: &middle, EventSubscriptionID: &two.ID}, 3},
		"project":         {subscriptions.DeliveryFilter{ProjectID: &one.ProjectID}, 8},
		"another project": {subscriptions.DeliveryFilter{ProjectID: ref(hark.NewID())}, 0},
	} {
		list, err := n.Deliveries(as(t), &tt.filter, nil, nil)
		if err != nil || len(list.Items) != tt.want {
			t.Errorf("%s: %d, want %d, %v", name, len(list.Items), tt.want, err)
		}
	}
	_, err := n.Deliveries(as(t), &subscriptions.DeliveryFilter{Since: ref(hark.Time(2)), Until: ref(hark.Time(1))}, nil, nil)
	want(t, "since after until", err, hark.BadUserInput, "filter.since")

	if err := n.Delete(as(t), two.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := n.Deliveries(as(t), nil, nil, nil); err != nil || len(list.Items) != 4 {
		t.Errorf("%d deliveries, those of a deleted subscription among them, %v", len(list.Items), err)
	}
	n.authority.hidden = one.ProjectID
	if list, err := n.Deliveries(as(t), &subscriptions.DeliveryFilter{ProjectID: &one.ProjectID}, nil, nil); err != nil || len(list.Items) != 0 {
		t.Errorf("%d deliveries of a project out of sight, %v", len(list.Items), err)
	}
}

func TestDeletedSubscriptionsLeaveNothing(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t)
		n.publish(t, 510)
		n.record(t, n.claim(t, row.ID)[0], hark.Succeeded, 0)
		if err := n.Delete(as(t), row.ID); err != nil {
			t.Fatal(err)
		}
		want(t, "again", n.Delete(as(t), row.ID), hark.NotFound, "")
		_, err := n.Get(as(t), row.ID)
		want(t, "get", err, hark.NotFound, "")
		_, err = n.Delivery(as(t), n.rows(t)[0].ID)
		want(t, "its delivery", err, hark.NotFound, "")
		if ds := n.claim(t, row.ID); len(ds) != 0 {
			t.Errorf("%d deliveries are due", len(ds))
		}
		// The leases of its last attempts run out, then retention takes everything.
		if err := st.Ent().Delivery.Update().Where(entdelivery.StatusEQ(hark.InProgress)).SetLeasedUntil(1).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Due(t.Context(), hark.ID{}, 10); err != nil {
			t.Fatal(err)
		}
		for range 2 { // first it drops what waits, then it takes what was dropped
			if _, err := st.Trim(t.Context(), hark.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if left := n.rows(t); len(left) != 0 {
			t.Errorf("%d deliveries are left, the first one %s", len(left), left[0].Status)
		}
		if left, err := st.Ent().DeliveryAttempt.Query().Count(t.Context()); err != nil || left != 0 {
			t.Errorf("%d attempts are left, %v", left, err)
		}
	})
}

func TestStats(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t)
		stats := func(since, until *hark.Time) *subscriptions.DeliveryStats {
			t.Helper()
			s, err := n.Stats(as(t), row, since, until)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s := stats(nil, nil); *s != (subscriptions.DeliveryStats{}) {
			t.Errorf("of nothing: %+v", s)
		}
		n.publish(t, 24)
		for i, d := range n.claim(t, row.ID)[:20] {
			status := hark.Succeeded
			if i%4 == 0 {
				status = hark.Pending // to be repeated
			}
			n.record(t, d, status, time.Duration(i+1)*time.Millisecond)
		}
		s := stats(nil, nil)
		if s.Succeeded != 15 || s.Failed != 5 || s.Pending != 9 || s.Held != 0 || *s.SuccessRate != 0.75 || *s.P50Ms != 10 || *s.P95Ms != 19 {
			t.Errorf("%+v, rate %v, p50 %v, p95 %v", s, *s.SuccessRate, *s.P50Ms, *s.P95Ms)
		}
		if _, err := n.Pause(as(t), row.ID); err != nil {
			t.Fatal(err)
		}
		if s := stats(nil, nil); s.Held != 5 || s.Pending != 4 {
			t.Errorf("paused: %+v", s)
		}
		now := hark.Now()
		if s := stats(&now, nil); *s != (subscriptions.DeliveryStats{}) {
			t.Errorf("of the future: %+v", s)
		}
		_, err := n.Stats(as(t), row, ref(hark.Time(2)), ref(hark.Time(1)))
		want(t, "since after until", err, hark.BadUserInput, "since")
	})
}

func TestExplain(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	early := n.publish(t, 1)[0]
	row := n.subscribe(t)
	narrow := n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) {
		in.Conditions = []*hark.Conditions{{EnvironmentSlug: ref("staging")}}
	})
	others := n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) {
		in.EventDefinitionIds = []hark.ID{n.definition(t, "delete")}
	})
	paused := n.subscribe(t)
	deaf := n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) {
		in.HoldWhilePaused, in.Active = ref(false), false
	})
	if _, err := n.Pause(as(t), paused.ID); err != nil {
		t.Fatal(err)
	}
	gone := n.subscribe(t)
	e := n.publish(t, 1)[0]
	if _, err := n.Discard(as(t), n.rows(t, entdelivery.SubscriptionID(row.ID))[0].ID); err != nil {
		t.Fatal(err)
	}
	d := n.claim(t, gone.ID)[0]
	if err := n.store.Record(t.Context(), []*hark.Attempt{{Delivery: d, StartedAt: hark.Now(), StatusCode: 410, Error: "answered 410", Status: hark.Failed, Disable: true}}); err != nil {
		t.Fatal(err)
	}
	while := n.publish(t, 1)[0]
	for _, tt := range []struct {
		name  string
		row   *ent.EventSubscription
		event hark.ID
		want  subscriptions.ExplanationOutcome
		has   bool // a delivery
	}{
		{"before", row, early.ID, subscriptions.BeforeCreation, false},
		{"conditions", narrow, e.ID, subscriptions.OtherConditions, false},
		{"definition", others, e.ID, subscriptions.NotThisDefinition, false},
		{"dropped by a person", row, e.ID, subscriptions.WasDiscarded, true},
		{"paused", paused, e.ID, subscriptions.WasPaused, true},
		{"paused without holding", deaf, e.ID, subscriptions.WasPaused, true},
		{"attempted", gone, e.ID, subscriptions.Matched, true},
		{"disabled", gone, while.ID, subscriptions.WasDisabled, true},
		{"waiting", row, while.ID, subscriptions.Matched, true},
	} {
		row, err := n.Get(as(t), tt.row.ID)
		if err != nil {
			t.Fatal(err)
		}
		x, err := n.Explain(as(t), row, tt.event)
		if err != nil || x.Outcome != tt.want || (x.Delivery != nil) != tt.has || x.Detail == "" {
			t.Errorf("%s: %+v, %v", tt.name, x, err)
		}
	}
	_, err := n.Explain(as(t), row, hark.NewID())
	want(t, "unknown event", err, hark.NotFound, "")
	n.authority.allows = func(*hark.Event) bool { return false }
	_, err = n.Explain(as(t), row, e.ID)
	want(t, "event out of sight", err, hark.NotFound, "")
	_, err = n.Event(as(t), n.rows(t)[0])
	want(t, "event of a delivery out of sight", err, hark.NotFound, "")
}
