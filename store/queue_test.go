package store_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestClaimTakesTheLongestDueFirst(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub, other := subscribe(t, st), subscribe(t, st)
		m := matcher{{SubscriptionID: sub, Status: hark.Pending}, {SubscriptionID: other, Status: hark.Pending}}
		for range 3 {
			appendTo(t, st, m, newEvents(2)...)
		}
		ds := claimAll(t, st, time.Minute, hark.Want{Subscription: sub, N: 4}, hark.Want{Subscription: other, N: 1})
		if got := sequences(ds); !slices.Equal(got, []int64{1, 2, 3, 4, 1}) {
			t.Errorf("claimed %v", got)
		}
		record(t, st, ds[0], hark.Pending, hark.Now())
		record(t, st, ds[1], hark.Pending, hark.Now().Add(time.Hour))
		if got := sequences(claim(t, st, sub, 10)); !slices.Equal(got, []int64{5, 6, 1}) {
			t.Errorf("then %v: a retry comes by the time it is due", got)
		}
		if ds[0].Attempt != 1 || ds[0].SubscriptionVersion != 1 || ds[0].Event.Payload == nil {
			t.Errorf("%+v", ds[0])
		}
	})
}

func TestClaimOfOrderedTakesTheHeadAlone(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(3)...)
		head := func() []*hark.Delivery {
			return claimAll(t, st, time.Minute, hark.Want{Subscription: sub, N: 5, Ordered: true})
		}
		first := head()
		if got := sequences(first); !slices.Equal(got, []int64{1}) {
			t.Fatalf("claimed %v", got)
		}
		if got := head(); len(got) != 0 {
			t.Fatal("a second one is under way")
		}
		record(t, st, first[0], hark.Pending, hark.Now().Add(time.Hour))
		if got := head(); len(got) != 0 {
			t.Fatal("one overtook a delivery that waits for its next attempt")
		}
		resumeNow(t, st, sub)
		again := head()
		if got := sequences(again); !slices.Equal(got, []int64{1}) || again[0].Attempt != 2 {
			t.Fatalf("then %v", got)
		}
		record(t, st, again[0], hark.Failed, 0)
		if got := sequences(head()); !slices.Equal(got, []int64{2}) {
			t.Fatalf("behind a dead letter %v", got)
		}
	})
}

// resumeNow makes a later attempt due by a pause.
func resumeNow(t *testing.T, st *store.Store, sub hark.ID) {
	t.Helper()
	pause(t, st, sub)
	resume(t, st, sub)
}

func TestNoDeliveryIsClaimedTwice(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		a, b := db.nodes(t)
		var wants []hark.Want
		var m matcher
		for i := range 4 {
			id := subscribe(t, a)
			wants = append(wants, hark.Want{Subscription: id, N: 7, Ordered: i == 0})
			m = append(m, store.Match{SubscriptionID: id, Status: hark.Pending})
		}
		appendTo(t, a, m, newEvents(200)...)
		var all sync.WaitGroup
		var mu sync.Mutex
		seen := map[hark.ID]int{}
		total := 0
		for i := range 6 {
			st := []*store.Store{a, b}[i%2]
			order := slices.Clone(wants)
			if i > 2 { // a lock taken in this order would meet one taken in the other
				slices.Reverse(order)
			}
			all.Go(func() {
				for {
					ds, err := st.Claim(t.Context(), order, time.Minute)
					if err != nil {
						t.Error(err)
						return
					}
					var done []*hark.Attempt
					mu.Lock()
					for _, d := range ds {
						seen[d.ID]++
						total++
						done = append(done, outcome(d, hark.Succeeded, 0))
					}
					left := total < 800
					mu.Unlock()
					if !left {
						return
					}
					if err := st.Record(t.Context(), done); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		if total != 800 || len(seen) != 800 {
			t.Errorf("%d claims of %d deliveries", total, len(seen))
		}
	})
}

func TestLeaseRunsOut(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(2)...)
		slow := claimAll(t, st, -time.Second, hark.Want{Subscription: sub, N: 1})
		if due, err := st.Due(t.Context(), hark.ID{}, 10); err != nil || !slices.Equal(due, []hark.ID{sub}) {
			t.Fatalf("due %v, %v", due, err)
		}
		taken := claim(t, st, sub, 1)
		if len(taken) != 1 || taken[0].ID != slow[0].ID || taken[0].Attempt != 1 {
			t.Fatalf("taken over: %v; a lost lease keeps its place in the line and counts no attempt", sequences(taken))
		}
		record(t, st, slow[0], hark.Failed, 0) // too late
		if got := row(t, st, slow[0].ID); got.Status != hark.InProgress || got.AttemptCount != 0 {
			t.Errorf("the outcome of a lost lease counts: %v", got)
		}
		if err := st.Release(t.Context(), slow); err != nil {
			t.Fatal(err)
		}
		if got := row(t, st, slow[0].ID); got.Status != hark.InProgress {
			t.Error("a lost lease was released")
		}
		record(t, st, taken[0], hark.Succeeded, 0)
		attempts, err := st.Ent().DeliveryAttempt.Query().All(t.Context())
		if err != nil || len(attempts) != 1 || attempts[0].Number != 1 || attempts[0].DeliveryID != taken[0].ID || attempts[0].StatusCode != 200 {
			t.Errorf("attempts %v, %v", attempts, err)
		}
	})
}

func TestReleaseGivesBack(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		r := appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending, Lease: time.Minute}}, newEvent())
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(2)...)
		if err := st.Release(t.Context(), append(claim(t, st, sub, 1), r.Leased...)); err != nil {
			t.Fatal(err)
		}
		ds := claim(t, st, sub, 3)
		if got := sequences(ds); !slices.Equal(got, []int64{1, 2, 3}) || ds[0].Attempt != 1 {
			t.Errorf("claimed %v", got)
		}
	})
}

func TestDueGoesRoundBySubscription(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		var ids []hark.ID
		var m matcher
		for i := range 6 {
			id := subscribe(t, st)
			match := store.Match{SubscriptionID: id, Status: hark.Pending}
			switch i {
			case 1:
				match.Lease = time.Minute
			case 2:
				match.Status = hark.Held
				pause(t, st, id)
			default:
				ids = append(ids, id)
			}
			m = append(m, match)
		}
		appendTo(t, st, m, newEvents(5)...)
		record(t, st, claim(t, st, ids[3], 5)[0], hark.Pending, hark.Now().Add(time.Hour)) // the others are leased
		page, err := st.Due(t.Context(), hark.ID{}, 2)
		if err != nil || !slices.Equal(page, ids[:2]) {
			t.Fatalf("first %v, %v", page, err)
		}
		page, err = st.Due(t.Context(), page[1], 2)
		if err != nil || !slices.Equal(page, ids[2:3]) {
			t.Errorf("then %v, %v", page, err)
		}
	})
}

func TestDisabledByTheSubscriber(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(4)...)
		var outcomes []*hark.Attempt
		for i, d := range claim(t, st, sub, 3) {
			a := outcome(d, hark.Failed, 0)
			a.Disable = true
			if i == 2 { // in flight when the other came back
				a = outcome(d, hark.Pending, hark.Now())
			}
			outcomes = append(outcomes, a)
		}
		if err := st.Record(t.Context(), outcomes); err != nil {
			t.Fatal(err)
		}
		s, err := st.Ent().EventSubscription.Get(t.Context(), sub)
		if err != nil || s.Active || s.DisabledAt.IsZero() || s.DisabledReason != "answered 500" || s.Version != 2 {
			t.Errorf("%v, %v", s, err)
		}
		if n := counts(t, st, sub); n[hark.Failed] != 2 || n[hark.Held] != 2 {
			t.Errorf("%v", n)
		}
		w := &watcher{}
		if err := st.Append(t.Context(), []*store.Append{{Events: newEvents(1)}}, w, 0); err != nil || w.version != 1 {
			t.Errorf("the matcher is told version %d, %v", w.version, err)
		}
	})
}

func TestFailingSince(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(3)...)
		since := func() hark.Time {
			s, err := st.Ent().EventSubscription.Get(t.Context(), sub)
			if err != nil {
				t.Fatal(err)
			}
			return s.FailingSince
		}
		ds := claim(t, st, sub, 3)
		record(t, st, ds[0], hark.Failed, 0)
		first := since()
		record(t, st, ds[1], hark.Pending, hark.Now())
		if first == 0 || since() != first {
			t.Errorf("failing since %v, then %v", first, since())
		}
		record(t, st, ds[2], hark.Succeeded, 0)
		if since() != 0 {
			t.Error("failing after a success")
		}
	})
}

func TestDeliveryWithoutItsEventHoldsNothingBack(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		r := appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(2)...)
		if err := st.Ent().Event.DeleteOneID(r.New[0].ID).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := sequences(claim(t, st, sub, 2)); !slices.Equal(got, []int64{2}) {
			t.Errorf("claimed %v", got)
		}
		if n := counts(t, st, sub); n[hark.Discarded] != 1 {
			t.Errorf("%v", n)
		}
	})
}
