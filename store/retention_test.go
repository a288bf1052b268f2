package store_test

import (
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent/event"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

// trim lets retention work until it has nothing left to do.
func trim(t *testing.T, st *store.Store, cutoff hark.Time) {
	t.Helper()
	for {
		more, err := st.Trim(t.Context(), cutoff)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

// logged tells the bounds of the log and how many events are stored.
func logged(t *testing.T, st *store.Store) (oldest, last int64, rows int) {
	t.Helper()
	oldest, last, err := st.Bounds(t.Context(), store.DefaultProjectID())
	if err != nil {
		t.Fatal(err)
	}
	rows, err = st.Ent().Event.Query().Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return oldest, last, rows
}

func TestTrimTakesWhatIsOld(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		r := appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(1200)...)
		for range 3 {
			var done []*hark.Attempt
			for _, d := range claim(t, st, sub, 400) {
				done = append(done, outcome(d, hark.Succeeded, 0))
			}
			if err := st.Record(t.Context(), done); err != nil {
				t.Fatal(err)
			}
		}
		trim(t, st, r.New[0].PublishedAt)
		if oldest, last, rows := logged(t, st); oldest != 1 || last != 1200 || rows != 1200 {
			t.Errorf("what is not too old: %d to %d, %d rows", oldest, last, rows)
		}
		cutoff := hark.Now().Add(time.Microsecond)
		young := appendTo(t, st, matcher{}, newEvents(3)...)
		for young.New[0].PublishedAt < cutoff { // within a microsecond
			cutoff--
		}
		trim(t, st, cutoff)
		if oldest, last, rows := logged(t, st); oldest != 1201 || last != 1203 || rows != 3 {
			t.Errorf("%d to %d, %d rows", oldest, last, rows)
		}
		n, err := st.Ent().Delivery.Query().Count(t.Context())
		m, err2 := st.Ent().DeliveryAttempt.Query().Count(t.Context())
		if n+m != 0 || err != nil || err2 != nil {
			t.Errorf("%d deliveries and %d attempts, %v, %v", n, m, err, err2)
		}
		if got, err := st.Read(t.Context(), store.DefaultProjectID(), 0, 10); err != nil || len(got) != 3 || got[0].Sequence != 1201 {
			t.Errorf("read %d, %v", len(got), err)
		}
	})
}

func TestRetentionOfNothing(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		appendTo(t, st, matcher{}, newEvents(5)...)
		kept := appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Pending}}, newEvents(2)...)
		sample(t, st, sub)
		now := func() hark.Time { return hark.Now().Add(time.Millisecond) }
		trim(t, st, now())
		if oldest, last, rows := logged(t, st); oldest != 8 || last != 7 || rows != 3 {
			t.Errorf("%d to %d, %d rows: an event stays for its delivery alone", oldest, last, rows)
		}
		if got, err := st.Read(t.Context(), store.DefaultProjectID(), 0, 10); err != nil || len(got) != 0 {
			t.Errorf("streams still see %d, %v", len(got), err)
		}
		ds := claim(t, st, sub, 5)
		if len(ds) != 3 || ds[1].Event.ID != kept.New[0].ID {
			t.Fatalf("%d deliveries", len(ds))
		}
		record(t, st, ds[0], hark.Failed, 0)
		record(t, st, ds[1], hark.Succeeded, 0)
		trim(t, st, now())
		if _, _, rows := logged(t, st); rows != 1 {
			t.Errorf("%d rows; one delivery is under way", rows)
		}
		record(t, st, ds[2], hark.Pending, hark.Now())
		trim(t, st, now())
		if _, _, rows := logged(t, st); rows != 1 {
			t.Errorf("%d rows; one delivery waits", rows)
		}
		record(t, st, claim(t, st, sub, 1)[0], hark.Failed, 0)
		trim(t, st, now())
		if _, _, rows := logged(t, st); rows != 0 {
			t.Errorf("%d rows are left", rows)
		}
		if r := appendTo(t, st, matcher{}, newEvent()); r.New[0].Sequence != 8 {
			t.Errorf("the next sequence is %d", r.New[0].Sequence)
		}
	})
}

func TestRetentionOfWhatWaits(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		active, paused, gone := subscribe(t, st), subscribe(t, st), hark.NewID()
		m := matcher{{SubscriptionID: active, Status: hark.Pending}, {SubscriptionID: paused, Status: hark.Held}, {SubscriptionID: gone, Status: hark.Pending}}
		pause(t, st, paused)
		old := appendTo(t, st, m, newEvents(700)...)
		cutoff := old.New[0].PublishedAt + 1
		appendTo(t, st, m, newEvent())
		sample(t, st, paused)
		trim(t, st, cutoff)
		if n := counts(t, st, active); n[hark.Pending] != 701 {
			t.Errorf("active: %v", n)
		}
		if n := counts(t, st, paused); n[hark.Discarded] != 700 || n[hark.Held] != 1 || n[hark.Pending] != 1 {
			t.Errorf("paused: %v", n)
		}
		if n := counts(t, st, gone); n[hark.Discarded] != 701 {
			t.Errorf("gone: %v", n)
		}
	})
}

func TestRetentionForever(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		appendTo(t, st, matcher{{SubscriptionID: sub, Status: hark.Held}, {SubscriptionID: sub, Status: hark.Discarded}}, newEvent())
		pause(t, st, sub)
		trim(t, st, hark.Now().Add(-200*365*24*time.Hour)) // before 1970
		if n := counts(t, st, sub); n[hark.Held] != 1 || n[hark.Discarded] != 1 {
			t.Errorf("%v", n)
		}
		if _, _, rows := logged(t, st); rows != 1 {
			t.Errorf("%d rows", rows)
		}
	})
}

func TestNodesTrimSideBySide(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		a, b := db.nodes(t)
		var m matcher
		for range 3 {
			m = append(m, store.Match{SubscriptionID: subscribe(t, a), Status: hark.Discarded})
		}
		appendTo(t, a, m, newEvents(2000)...)
		done := make(chan error)
		for _, st := range []*store.Store{a, b} {
			go func() {
				for range 10 {
					if _, err := st.Trim(t.Context(), hark.Now()); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		trim(t, a, hark.Now())
		if n, err := a.Ent().Event.Query().Where(event.SequenceGT(0)).Count(t.Context()); err != nil || n != 0 {
			t.Errorf("%d events are left, %v", n, err)
		}
	})
}
