package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestNothingIsClaimedWhilePaused(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		due := matcher{{SubscriptionID: sub, Status: hark.Pending}}
		appendTo(t, st, due, newEvents(2)...)
		flying := claim(t, st, sub, 1)
		pause(t, st, sub)
		if n := counts(t, st, sub); n[hark.Held] != 1 || n[hark.InProgress] != 1 {
			t.Errorf("paused: %v", n)
		}
		appendTo(t, st, due, newEvent()) // not marked as held, as beyond what Hold marks
		for _, ordered := range []bool{false, true} {
			if got := claimAll(t, st, time.Minute, hark.Want{Subscription: sub, N: 5, Ordered: ordered}); len(got) != 0 {
				t.Errorf("claimed %v of a paused subscription", sequences(got))
			}
		}
		if due, err := st.Due(t.Context(), hark.ID{}, 5); err != nil || len(due) != 0 {
			t.Errorf("due %v, %v", due, err)
		}
		record(t, st, flying[0], hark.Pending, hark.Now().Add(time.Hour))
		if got := row(t, st, flying[0].ID); got.Status != hark.Held {
			t.Errorf("an attempt that failed after the pause is %s", got.Status)
		}
	})
}

func TestBacklogIsDeliveredOldestFirst(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		due, held := matcher{{SubscriptionID: sub, Status: hark.Pending}}, matcher{{SubscriptionID: sub, Status: hark.Held}}
		appendTo(t, st, due, newEvents(3)...)
		record(t, st, claim(t, st, sub, 1)[0], hark.Pending, hark.Now().Add(time.Hour))
		pause(t, st, sub)
		appendTo(t, st, held, newEvents(2)...)
		appendTo(t, st, held, newEvents(2)...)
		resume(t, st, sub)
		if n := counts(t, st, sub); n[hark.Pending] != 7 {
			t.Errorf("resumed: %v", n)
		}
		appendTo(t, st, due, newEvent())
		if got := sequences(claim(t, st, sub, 10)); !slices.Equal(got, []int64{1, 2, 3, 4, 5, 6, 7, 8}) {
			t.Errorf("claimed %v", got)
		}
	})
}

func TestBacklogBeyondWhatIsMarked(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		pause(t, st, sub)
		held := matcher{{SubscriptionID: sub, Status: hark.Held}}
		for range 3 {
			appendTo(t, st, held, newEvents(1000)...)
		}
		resume(t, st, sub)
		n := counts(t, st, sub)
		if n[hark.Held] == 0 || n[hark.Held]+n[hark.Pending] != 3_000 {
			t.Fatalf("%v", n)
		}
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvent())
		for want := int64(1); want <= 3_001; {
			ds := claim(t, st, sub, 500)
			if len(ds) == 0 {
				t.Fatalf("nothing is due behind %d", want-1)
			}
			for _, got := range sequences(ds) {
				if got != want {
					t.Fatalf("%d came instead of %d", got, want)
				}
				want++
			}
		}
	})
}

func TestBacklogIsDiscarded(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub, other := subscribe(t, st), subscribe(t, st)
		pause(t, st, sub)
		held := matcher{{SubscriptionID: sub, Status: hark.Held}, {SubscriptionID: other, Status: hark.Held}}
		for range 3 {
			appendTo(t, st, held, newEvents(1000)...)
		}
		version := st.Ent().EventSubscription.GetX(t.Context(), sub).Version
		if err := st.DiscardBacklog(t.Context(), sub, version-1, "backlog discarded"); err != nil {
			t.Fatal(err)
		}
		if n := counts(t, st, sub); n[hark.Held] != 3000 {
			t.Errorf("somebody else changed the subscription meanwhile, and its backlog is gone: %v", n)
		}
		if err := st.DiscardBacklog(t.Context(), sub, version, "backlog discarded"); err != nil {
			t.Fatal(err)
		}
		r := appendTo(t, st, held, newEvent()) // before the resume
		err := st.Tx(t.Context(), func(tx *ent.Tx) error { return store.DiscardHeld(t.Context(), tx, sub, "backlog discarded") })
		if err != nil {
			t.Fatal(err)
		}
		resume(t, st, sub)
		if n := counts(t, st, sub); n[hark.Discarded] != 3001 || counts(t, st, other)[hark.Held] != 3001 {
			t.Errorf("%v", n)
		}
		ds, err := st.Ent().Delivery.Query().All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			if d.SubscriptionID == sub && (d.DiscardReason != "backlog discarded" || d.NextAttemptAt != 0) {
				t.Fatal(d)
			}
		}
		if got := claim(t, st, sub, 1); len(got) != 0 {
			t.Errorf("claimed %v of %d", sequences(got), r.New[0].Sequence)
		}
	})
}

func TestSampleIsDeliveredWhilePaused(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		pause(t, st, sub)
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Held}}, newEvents(2)...)
		e := sample(t, st, sub)
		if due, err := st.Due(t.Context(), hark.ID{}, 5); err != nil || len(due) != 1 {
			t.Errorf("due %v, %v", due, err)
		}
		ds := claimAll(t, st, time.Minute, hark.Want{Subscription: sub, N: 5})
		if len(ds) != 1 || !ds[0].Test || ds[0].Event.ID != e.ID || ds[0].Event.Sequence != 0 {
			t.Fatalf("%v", ds)
		}
		if log, err := st.Read(t.Context(), e.ProjectID, 0, 10); err != nil || len(log) != 2 {
			t.Errorf("the log has %d events, %v", len(log), err)
		}
	})
}

// sample stores a sample and its delivery.
func sample(t *testing.T, st *store.Store, sub hark.ID) *hark.Event {
	t.Helper()
	e := newEvent()
	e.ID, e.PublishedAt, e.OccurredAt = hark.NewID(), hark.Now(), hark.Now()
	if err := st.Tx(t.Context(), func(tx *ent.Tx) error { return store.AppendSample(t.Context(), tx, e) }); err != nil {
		t.Fatal(err)
	}
	err := st.Ent().Delivery.Create().SetID(hark.NewID()).SetProjectID(e.ProjectID).SetSubscriptionID(sub).SetEventID(e.ID).SetSequence(0).
		SetStatus(hark.Pending).SetTest(true).SetNextAttemptAt(store.TestDue).SetCreatedAt(hark.Now()).SetUpdatedAt(hark.Now()).Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}
