package subscriptions_test

import (
	"slices"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/internal/page"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/subscriptions"
)

func cursor(id hark.ID) string { return page.Cursor(id) }

func TestPauseHoldsWhatWaits(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		for _, holds := range []bool{true, false} {
			row := n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) { in.HoldWhilePaused = &holds })
			n.publish(t, 2)
			n.record(t, n.claim(t, row.ID)[0], hark.Pending, 0)
			n.publish(t, 2)
			paused, err := n.Pause(as(t), row.ID)
			if err != nil || paused.Active || subscriptions.Health(paused) != hark.Paused {
				t.Fatal(paused, err)
			}
			if c := n.counts(t, row.ID); c[hark.Held] != 3 || c[hark.InProgress] != 1 {
				t.Errorf("holding %v: what was matched before the pause is %v", holds, c)
			}
			n.publish(t, 2)
			dropped := n.rows(t, delivery.SubscriptionID(row.ID), delivery.StatusEQ(hark.Discarded))
			if holds && len(dropped) != 0 || !holds && (len(dropped) != 2 || dropped[0].DiscardReason != "paused") {
				t.Errorf("holding %v: %d were dropped", holds, len(dropped))
			}
			audited := len(n.authority.audited)
			if again, err := n.Pause(as(t), row.ID); err != nil || again.Version != paused.Version || len(n.authority.audited) != audited {
				t.Error("pausing what is paused changes something", err)
			}
			resumed, err := n.Resume(as(t), row.ID, hark.Deliver)
			if err != nil || !resumed.Active {
				t.Fatal(resumed, err)
			}
			due := n.claim(t, row.ID)
			var sequences []int64
			for _, d := range due {
				sequences = append(sequences, d.Event.Sequence)
			}
			if count := map[bool]int{true: 5, false: 3}[holds]; len(due) != count || !slices.IsSorted(sequences) {
				t.Errorf("holding %v: %v are due after the resume, want %d in order", holds, sequences, count)
			}
		}
	})
}

func TestResumeOfWhatIsActiveChangesNothing(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	row := n.subscribe(t)
	n.publish(t, 2)
	n.record(t, n.claim(t, row.ID)[0], hark.Pending, 0) // to be repeated in an hour
	before := n.rows(t)
	for _, backlog := range []hark.Backlog{hark.Deliver, hark.Discard} {
		again, err := n.Resume(as(t), row.ID, backlog)
		if err != nil || again.Version != row.Version {
			t.Error(again, err)
		}
	}
	for i, d := range n.rows(t) {
		if d.Status != before[i].Status || d.NextAttemptAt != before[i].NextAttemptAt {
			t.Errorf("delivery %d was %s, is %s", i, before[i].Status, d.Status)
		}
	}
	_, err := n.Resume(as(t), hark.NewID(), hark.Deliver)
	want(t, "resume", err, hark.NotFound, "")
	_, err = n.Pause(as(t), hark.NewID())
	want(t, "pause", err, hark.NotFound, "")
}

func TestResumeDiscards(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t)
		if _, err := n.Pause(as(t), row.ID); err != nil {
			t.Fatal(err)
		}
		n.publish(t, 600)
		n.publish(t, 600)
		if _, err := n.Resume(as(t), row.ID, hark.Discard); err != nil {
			t.Fatal(err)
		}
		if c := n.counts(t, row.ID); c[hark.Discarded] != 1200 {
			t.Errorf("%v", c)
		}
		if d := n.rows(t)[0]; d.DiscardReason != "backlog discarded" {
			t.Error(d)
		}
		n.publish(t, 1)
		if ds := n.claim(t, row.ID); len(ds) != 1 {
			t.Errorf("%d deliveries are due", len(ds))
		}
	})
}

func TestResumeEnables(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		for _, enable := range []func(hark.ID) error{
			func(id hark.ID) error { _, err := n.Resume(as(t), id, hark.Deliver); return err },
			func(id hark.ID) error {
				_, err := n.Update(as(t), id, subscriptions.UpdateEventSubscriptionInput{Active: ref(true), AllowOverlap: ref(true)})
				return err
			},
		} {
			row := n.subscribe(t)
			n.publish(t, 2)
			ds := n.claim(t, row.ID)
			if err := st.Record(t.Context(), []*hark.Attempt{{Delivery: ds[0], StartedAt: hark.Now(), StatusCode: 410, Error: "answered 410", Status: hark.Failed, Disable: true}}); err != nil {
				t.Fatal(err)
			}
			disabled, err := n.Get(as(t), row.ID)
			if err != nil || subscriptions.Health(disabled) != hark.Disabled || disabled.DisabledReason != "answered 410" {
				t.Fatal(disabled, err)
			}
			if err := enable(row.ID); err != nil {
				t.Fatal(err)
			}
			enabled, err := n.Get(as(t), row.ID)
			if err != nil || subscriptions.Health(enabled) != hark.Healthy || enabled.DisabledReason != "" {
				t.Error(enabled, err)
			}
		}
	})
}

func TestSubscriptionsAreFiltered(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		healthy := n.subscribe(t)
		paused := n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) { in.Active, in.SubscriberService = false, "other" })
		failing := n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) {
			in.CallbackProtocol, in.DeliveryEndpoint = hark.GRPC, "grpc://127.0.0.1:1"
			in.EventDefinitionIds = append(in.EventDefinitionIds, n.definition(t, "delete"))
		})
		disabled := n.subscribe(t)
		n.publish(t, 1)
		n.record(t, n.claim(t, failing.ID)[0], hark.Pending, 0)
		if err := st.Record(t.Context(), []*hark.Attempt{{Delivery: n.claim(t, disabled.ID)[0], StartedAt: hark.Now(), Error: "gone", Status: hark.Failed, Disable: true}}); err != nil {
			t.Fatal(err)
		}
		type filter = subscriptions.EventSubscriptionFilter
		for name, tt := range map[string]struct {
			filter filter
			want   []hark.ID
		}{
			"all":             {filter{}, []hark.ID{disabled.ID, failing.ID, paused.ID, healthy.ID}},
			"project":         {filter{ProjectID: &healthy.ProjectID}, []hark.ID{disabled.ID, failing.ID, paused.ID, healthy.ID}},
			"another project": {filter{ProjectID: ref(hark.NewID())}, nil},
			"definition":      {filter{EventDefinitionID: ref(n.definition(t, "delete"))}, []hark.ID{failing.ID}},
			"subscriber":      {filter{SubscriberService: ref("other")}, []hark.ID{paused.ID}},
			"active":          {filter{Active: ref(true)}, []hark.ID{failing.ID, healthy.ID}},
			"not active":      {filter{Active: ref(false)}, []hark.ID{disabled.ID, paused.ID}},
			"protocol":        {filter{CallbackProtocol: ref(hark.GRPC)}, []hark.ID{failing.ID}},
			"healthy":         {filter{Health: ref(hark.Healthy)}, []hark.ID{healthy.ID}},
			"failing":         {filter{Health: ref(hark.Failing)}, []hark.ID{failing.ID}},
			"disabled":        {filter{Health: ref(hark.Disabled)}, []hark.ID{disabled.ID}},
			"paused":          {filter{Health: ref(hark.Paused)}, []hark.ID{paused.ID}},
			"open":            {filter{Health: ref(hark.Open)}, nil},
		} {
			list, err := n.List(as(t), &tt.filter, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []hark.ID
			for _, row := range list.Items {
				got = append(got, row.ID)
				if h := tt.filter.Health; h != nil && subscriptions.Health(row) != *h {
					t.Errorf("%s: shown as %s", name, subscriptions.Health(row))
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s: %v, want %v", name, got, tt.want)
			}
			if count, err := list.Count(t.Context()); err != nil || count != len(tt.want) {
				t.Errorf("%s: counted %d, %v", name, count, err)
			}
		}
		n.authority.hidden = healthy.ProjectID
		if list, err := n.List(as(t), nil, nil, nil); err != nil || len(list.Items) != 0 {
			t.Errorf("%d subscriptions of a project out of sight, %v", len(list.Items), err)
		}
		_, err := n.Get(as(t), healthy.ID)
		want(t, "out of sight", err, hark.NotFound, "")
	})
}

// TestMarksFollow has more wait than a pause marks at once.
func TestMarksFollow(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		n.keep(t)
		const waiting = 2500
		row := n.subscribe(t)
		for range waiting / 500 {
			n.publish(t, 500)
		}
		n.record(t, n.claim(t, row.ID)[7], hark.Pending, 0) // the others are leased
		if err := st.Ent().Delivery.Update().Where(delivery.StatusEQ(hark.InProgress)).SetStatus(hark.Pending).SetLeasedUntil(0).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := n.Pause(as(t), row.ID); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all are held", func() bool { return n.counts(t, row.ID)[hark.Held] == waiting })
			if _, err := n.Resume(as(t), row.ID, hark.Deliver); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all are pending", func() bool { return n.counts(t, row.ID)[hark.Pending] == waiting })
		}
	})
}
