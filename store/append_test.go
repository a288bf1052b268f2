package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestSequencesHaveNoGap(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		a, b := db.nodes(t)
		var all sync.WaitGroup
		for i := range 8 {
			st := []*store.Store{a, b}[i%2]
			all.Go(func() {
				for n := range 10 {
					r := &store.Append{Events: newEvents(1 + n)}
					if err := st.Append(t.Context(), []*store.Append{r}, matcher{}, 0); err != nil || r.Err != nil {
						t.Error(err, r.Err)
					}
				}
			})
		}
		// Whoever sees sequence n can read every smaller one.
		done := make(chan struct{})
		go func() { all.Wait(); close(done) }()
		for seen, live := int64(0), true; live || seen < 8*55; {
			select {
			case <-done:
				live = false
			default:
			}
			events, err := b.Read(t.Context(), store.DefaultProjectID(), seen, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Sequence != seen+1 {
					t.Fatalf("%d came behind %d", e.Sequence, seen)
				}
				seen = e.Sequence
			}
			if !live && len(events) == 0 && seen < 8*55 {
				t.Fatalf("the log ends at %d", seen)
			}
		}
	})
}

// A refusing matcher refuses requests with the actor "refused".
type refusing struct{ matcher }

func (refusing) Check(r *store.Append) error {
	if r.Events[0].Actor == "refused" {
		return errors.New("refused")
	}
	return nil
}

func TestRequestsFailAlone(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		refused, lost, good := newEvent(), newEvent(), newEvent()
		refused.Actor, lost.ProjectID = "refused", hark.NewID()
		rs := []*store.Append{{Events: []*hark.Event{refused}}, {Events: []*hark.Event{newEvent(), lost}}, {Events: []*hark.Event{good}}}
		if err := st.Append(t.Context(), rs, refusing{}, 0); err != nil {
			t.Fatal(err)
		}
		e, _ := errors.AsType[*hark.Error](rs[1].Err)
		if rs[0].Err == nil || e == nil || e.Code != hark.NotFound || rs[2].Err != nil {
			t.Errorf("errors %v, %v, %v", rs[0].Err, rs[1].Err, rs[2].Err)
		}
		if log, err := st.Read(t.Context(), store.DefaultProjectID(), 0, 10); err != nil || len(log) != 1 || log[0].ID != good.ID || log[0].Sequence != 1 {
			t.Errorf("%d events, %v", len(log), err)
		}
	})
}

func TestFailedAppendLeavesNothing(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		first := newEvent()
		appendTo(t, st, matcher{}, first)
		// A sample in the way of the next sequence: its insert fails.
		err := st.Ent().Event.Create().SetID(hark.NewID()).SetProjectID(first.ProjectID).SetSequence(3).SetDefinitionID(hark.NewID()).SetSourceService("s").
			SetResourceType("r").SetOperationType("o").SetEnvironment("").SetPath("").SetPayload(hark.JSON("1")).SetActor("").SetOccurredAt(1).SetPublishedAt(1).SetIdempotencyKey("").Exec(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m := matcher{{SubscriptionID: hark.NewID(), Status: hark.Pending}}
		if err := st.Append(t.Context(), []*store.Append{{Events: newEvents(2)}}, m, 0); err == nil {
			t.Fatal("a sequence was given twice")
		}
		_, last, err := st.Bounds(t.Context(), first.ProjectID)
		if err != nil || last != 1 {
			t.Errorf("the log ends at %d, %v", last, err)
		}
		if n, err := st.Ent().Delivery.Query().Count(t.Context()); err != nil || n != 0 {
			t.Errorf("%d deliveries, %v", n, err)
		}
		if r := appendTo(t, st, matcher{}, newEvent()); r.New[0].Sequence != 2 {
			t.Errorf("the next sequence is %d", r.New[0].Sequence)
		}
	})
}

func keyed(key string) *hark.Event {
	e := newEvent()
	e.IdempotencyKey = key
	return e
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		r := appendTo(t, st, matcher{}, keyed("a"), keyed("b"), keyed("a"), newEvent())
		if r.Duplicates != 1 || r.Events[2] != r.Events[0] || len(r.New) != 3 {
			t.Errorf("in one request: %d duplicates, %d new", r.Duplicates, len(r.New))
		}
		rs := []*store.Append{{Events: []*hark.Event{keyed("a"), keyed("c")}}, {Events: []*hark.Event{keyed("c")}}}
		if err := st.Append(t.Context(), rs, matcher{}, 0); err != nil {
			t.Fatal(err)
		}
		if rs[0].Duplicates != 1 || rs[0].Events[0].ID != r.Events[0].ID || rs[1].Duplicates != 1 || rs[1].Events[0].ID != rs[0].Events[1].ID {
			t.Errorf("in one transaction: %+v, %+v", rs[0], rs[1])
		}
		again := &store.Append{Events: []*hark.Event{keyed("a")}}
		if err := st.Append(t.Context(), []*store.Append{again}, matcher{}, hark.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if again.Duplicates != 0 || again.Events[0].ID == r.Events[0].ID {
			t.Error("a key counts outside its window")
		}
	})
}

func TestIdempotencyKeysHoldOnAllNodes(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		a, b := db.nodes(t)
		var all sync.WaitGroup
		ids := make([]hark.ID, 16)
		for i := range ids {
			st := []*store.Store{a, b}[i%2]
			all.Go(func() {
				r := &store.Append{Events: []*hark.Event{keyed("one")}}
				if err := st.Append(t.Context(), []*store.Append{r}, matcher{}, 0); err != nil {
					t.Error(err)
				}
				ids[i] = r.Events[0].ID
			})
		}
		all.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatal("one key, two events")
			}
		}
	})
}

// A watcher is a matcher that keeps what it was refreshed to.
type watcher struct {
	matcher
	version, definitions int64
}

func (w *watcher) Refresh(_ context.Context, _ hark.ID, version, definitions int64) error {
	w.version, w.definitions = version, definitions
	return nil
}

func TestMatcherSeesEveryChange(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		a, b := db.nodes(t)
		ctx := t.Context()
		var changed int64 // commits of changes that were answered
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 10 {
					err := a.Tx(ctx, func(tx *ent.Tx) error {
						if err := store.RaiseVersion(ctx, tx, store.DefaultProjectID()); err != nil {
							return err
						}
						return store.RaiseRevision(ctx, tx, store.Definitions)
					})
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					changed++
					mu.Unlock()
				}
			})
		}
		for _, st := range []*store.Store{a, b} {
			all.Go(func() {
				for range 20 {
					mu.Lock()
					answered := changed
					mu.Unlock()
					w := &watcher{}
					if err := st.Append(ctx, []*store.Append{{Events: newEvents(1)}}, w, 0); err != nil {
						t.Error(err)
					}
					if w.version < answered || w.definitions < answered {
						t.Errorf("refreshed to version %d, definitions %d after change %d", w.version, w.definitions, answered)
					}
				}
			})
		}
		all.Wait()
	})
}

func TestChangesDoNotStarveAPublish(t *testing.T) {
	t.Parallel()
	st := testkit.PostgresStore(t)
	ctx := t.Context()
	// The publish waits in Refresh until many changes wait for its counter row.
	var changes sync.WaitGroup
	m := &refresher{do: func() error {
		for range 40 {
			changes.Go(func() {
				if err := st.Tx(ctx, func(tx *ent.Tx) error { return store.RaiseVersion(ctx, tx, store.DefaultProjectID()) }); err != nil {
					t.Error(err)
				}
			})
		}
		for range 100 { // of these some come when all slots of changes are taken
			if _, err := st.Ent().EventSubscription.Query().All(ctx); err != nil {
				return err
			}
		}
		return nil
	}}
	if err := st.Append(ctx, []*store.Append{{Events: newEvents(1)}}, m, 0); err != nil {
		t.Fatal(err)
	}
	changes.Wait()
}

type refresher struct {
	matcher
	do func() error
}

func (r *refresher) Refresh(context.Context, hark.ID, int64, int64) error { return r.do() }

func TestDeliveriesAreBornWithTheirEvents(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		leased, due, held, dropped := subscribe(t, st), subscribe(t, st), subscribe(t, st), subscribe(t, st)
		r := appendTo(t, st, matcher{
			{SubscriptionID: leased, Version: 7, Status: hark.Pending, Lease: time.Minute},
			{SubscriptionID: due, Status: hark.Pending},
			{SubscriptionID: held, Status: hark.Held},
			{SubscriptionID: dropped, Status: hark.Discarded},
		}, newEvent())
		if len(r.Leased) != 1 || !r.Due {
			t.Fatalf("%d leased, due %v", len(r.Leased), r.Due)
		}
		d := r.Leased[0]
		if d.SubscriptionID != leased || d.SubscriptionVersion != 7 || d.Attempt != 1 || d.Event != r.New[0] || d.LeasedUntil != r.New[0].PublishedAt.Add(time.Minute) {
			t.Errorf("%+v", d)
		}
		for id, want := range map[hark.ID]hark.DeliveryStatus{leased: hark.InProgress, due: hark.Pending, held: hark.Held, dropped: hark.Discarded} {
			if n := counts(t, st, id); n[want] != 1 {
				t.Errorf("%v, want one %s", n, want)
			}
		}
		if got := claim(t, st, leased, 10); len(got) != 0 {
			t.Error("a delivery was claimed that was born leased")
		}
		record(t, st, d, hark.Succeeded, 0)
		if got := row(t, st, d.ID); got.Status != hark.Succeeded || got.AttemptCount != 1 {
			t.Error(got)
		}
	})
}

func TestBigRequests(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		for _, n := range []int{0, 1, 9, 10, 49, 50, 51, 61, 123} {
			if r := appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(n)...); len(r.New) != n {
				t.Fatalf("%d of %d", len(r.New), n)
			}
		}
		keys := make([]*hark.Event, hark.MaxPublish)
		for i := range keys {
			keys[i] = keyed(fmt.Sprint(i))
		}
		appendTo(t, st, matcher{}, keys...)
		if r := appendTo(t, st, matcher{}, keys...); r.Duplicates != len(keys) {
			t.Errorf("%d duplicates", r.Duplicates)
		}
		if n := counts(t, st, sub); n[hark.Pending] != 354 {
			t.Errorf("%v", n)
		}
	})
}
