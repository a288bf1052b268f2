package store_test

import (
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

// TestTraceparents: an event keeps its trace, and what is none is not kept.
func TestTraceparents(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		sub := subscribe(t, st)
		const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		kept := map[string]string{
			parent: parent, "": "", "01" + parent[2:]: "", parent + "-more": "", parent[:54]: "",
			"00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01": "",
		}
		want := map[hark.ID]string{}
		var events []*hark.Event
		for given := range kept {
			e := newEvent()
			e.Traceparent, e.IdempotencyKey = given, "k"+given
			events = append(events, e)
		}
		r := appendTo(t, st, matcher{{SubscriptionID: sub, Version: 1, Status: hark.Pending}}, events...)
		for _, e := range r.New {
			want[e.ID] = kept[e.Traceparent]
		}
		check := func(where string, e *hark.Event) {
			t.Helper()
			if e.Traceparent != want[e.ID] {
				t.Errorf("%s: %q, want %q", where, e.Traceparent, want[e.ID])
			}
		}
		read, err := st.Read(t.Context(), events[0].ProjectID, 0, 100)
		if err != nil || len(read) != len(kept) {
			t.Fatal(len(read), err)
		}
		for _, e := range read {
			check("read", e)
		}
		for _, d := range claim(t, st, sub, 100) {
			check("claimed", d.Event)
		}
		again := newEvent()
		again.IdempotencyKey = "k" + parent
		check("its key came again", appendTo(t, st, matcher{}, again).Events[0])
	})
}
