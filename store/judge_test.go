package store_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

// raised lists the alarms that are to be published, and forgets them.
func raised(t *testing.T, st *store.Store) (kinds []string) {
	t.Helper()
	list, err := st.Alarms(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var ids []hark.ID
	for _, a := range list {
		kinds = append(kinds, a.ResourceType+":"+a.OperationType)
		ids = append(ids, a.ID)
		if !json.Valid(a.Payload) || a.ProjectID != store.DefaultProjectID() {
			t.Errorf("%+v", a)
		}
	}
	if err := st.DropAlarms(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	return kinds
}

// fail claims n deliveries and has the attempts at them fail, to be tried again at once.
func fail(t *testing.T, st *store.Store, sub hark.ID, n int) {
	t.Helper()
	ds := claim(t, st, sub, n)
	if len(ds) != n {
		t.Fatalf("claimed %d, want %d", len(ds), n)
	}
	for _, d := range ds {
		record(t, st, d, hark.Pending, hark.Now())
	}
}

// probe makes an open circuit due to be probed.
func probe(t *testing.T, st *store.Store, sub hark.ID) {
	t.Helper()
	if err := st.Ent().EventSubscription.UpdateOneID(sub).SetProbeAt(hark.Now()).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCircuitHoldsOverNodes(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		a, b := db.nodes(t)
		sub, healthy := subscribe(t, a), subscribe(t, a)
		appendTo(t, a, matcher{{SubscriptionID: sub, Status: hark.Pending}, {SubscriptionID: healthy, Status: hark.Pending}}, newEvents(20)...)
		fail(t, a, sub, 10)
		row := func() *ent.EventSubscription { return a.Ent().EventSubscription.GetX(t.Context(), sub) }
		if r := row(); r.OpenedAt.IsZero() || r.Failures != 10 || r.ProbeAt.Sub(r.OpenedAt) != 5*time.Second {
			t.Fatalf("after ten failures: %+v", r)
		}
		if got := raised(t, a); !slices.Equal(got, []string{"subscription:failing", "subscription:opened"}) {
			t.Errorf("raised %v", got)
		}
		for _, ordered := range []bool{false, true} {
			if got := claimAll(t, b, time.Minute, hark.Want{Subscription: sub, N: 5, Ordered: ordered}); len(got) > 0 {
				t.Errorf("while it is open, %d were claimed", len(got))
			}
		}
		if due, err := b.Due(t.Context(), hark.ID{}, 10); err != nil || !slices.Equal(due, []hark.ID{healthy}) {
			t.Errorf("due are %v, %v", due, err)
		}
		if got := claim(t, b, healthy, 20); len(got) != 20 {
			t.Errorf("another subscription: %d were claimed", len(got))
		}

		probe(t, a, sub)
		if due, err := b.Due(t.Context(), hark.ID{}, 10); err != nil || !slices.Equal(due, []hark.ID{sub}) {
			t.Errorf("due to be probed are %v, %v", due, err)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		var probes []*hark.Delivery
		for i := range 6 {
			all.Go(func() {
				ds, err := []*store.Store{a, b}[i%2].Claim(t.Context(), []hark.Want{{Subscription: sub, N: 5}}, time.Minute)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				probes = append(probes, ds...)
			})
		}
		all.Wait()
		if len(probes) != 1 {
			t.Fatalf("%d probes at once", len(probes))
		}
		if err := b.Release(t.Context(), probes); err != nil {
			t.Fatal(err)
		}
		if probes = claim(t, a, sub, 5); len(probes) != 1 {
			t.Fatalf("after a probe that was given back, %d probes", len(probes))
		}
		record(t, b, probes[0], hark.Pending, hark.Now())
		if r := row(); r.Probes != 1 || r.ProbeAt.Sub(r.OpenedAt) < 10*time.Second {
			t.Errorf("after a probe that failed: %+v", r)
		}
		probe(t, a, sub)
		record(t, a, claim(t, a, sub, 5)[0], hark.Succeeded, 0)
		if r := row(); !r.OpenedAt.IsZero() || !r.FailingSince.IsZero() || r.Failures != 0 {
			t.Errorf("after a probe that succeeded: %+v", r)
		}
		if got := raised(t, a); !slices.Equal(got, []string{"subscription:closed"}) {
			t.Errorf("raised %v", got)
		}
		if got := claim(t, b, sub, 50); len(got) != 19 {
			t.Errorf("closed, %d were claimed", len(got))
		}
	})
}

func TestFiveDaysWithoutSuccess(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(3)...)
		fail(t, st, sub, 1)
		since := func(ago time.Duration) *ent.EventSubscription {
			t.Helper()
			if err := st.Ent().EventSubscription.UpdateOneID(sub).SetFailingSince(hark.Now().Add(-ago)).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			fail(t, st, sub, 1)
			return st.Ent().EventSubscription.GetX(t.Context(), sub)
		}
		if r := since(5*24*time.Hour - time.Minute); !r.Active {
			t.Error("disabled too soon")
		}
		if r := since(5 * 24 * time.Hour); r.Active || r.DisabledAt.IsZero() {
			t.Errorf("not disabled: %+v", r)
		}
		if got := raised(t, st); !slices.Equal(got, []string{"subscription:failing", "subscription:disabled"}) {
			t.Errorf("raised %v", got)
		}
		if n := counts(t, st, sub); n[hark.Held] != 3 {
			t.Errorf("disabled: %v", n)
		}
	})
}

func TestDeadLettersAreToldOfOnce(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		own := newEvent()
		own.SourceService = store.Hark
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvent(), newEvent(), own)
		ds := claim(t, st, sub, 3)
		lost := *ds[1]
		lost.LeasedUntil--
		for _, d := range []*hark.Delivery{ds[0], &lost, ds[2]} {
			record(t, st, d, hark.Failed, 0)
		}
		list, err := st.Alarms(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		var dead []string
		for _, a := range list {
			if a.OperationType == "dead" {
				dead = append(dead, string(a.Payload))
			}
		}
		if len(dead) != 1 || !json.Valid([]byte(dead[0])) {
			t.Errorf("told of %q; want the first alone: the second is another worker's, the third is of hark's own", dead)
		}
	})
}

func TestPaceHoldsOverNodes(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		a, b := db.nodes(t)
		sub := subscribe(t, a)
		appendTo(t, a, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(200)...)
		began := hark.Now()
		var starts []hark.Time
		for i := range 40 {
			for _, d := range claimAll(t, []*store.Store{a, b}[i%2], time.Minute, hark.Want{Subscription: sub, N: 50, MaxPerSecond: 50}) {
				if ahead := d.StartAt.Sub(hark.Now()); ahead > 100*time.Millisecond {
					t.Errorf("a start was given %s ahead", ahead)
				}
				starts = append(starts, d.StartAt)
			}
		}
		took := hark.Now().Sub(began)
		if most := 2 + int((took+100*time.Millisecond)/(20*time.Millisecond)); len(starts) == 0 || len(starts) > most {
			t.Errorf("%d starts were given in %s", len(starts), took)
		}
		for i := 1; i < len(starts); i++ {
			if starts[i].Sub(starts[i-1]) < 20*time.Millisecond {
				t.Errorf("start %d comes %s after the one before", i, starts[i].Sub(starts[i-1]))
			}
		}
	})
}
