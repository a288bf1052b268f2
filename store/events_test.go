package store_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestAnEventIsReadBackAsItWas(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		e := newEvent()
		e.Environment, e.Path, e.Actor, e.IdempotencyKey, e.OccurredAt = "dev", "/ä/b", "me", "key", 1234567890123456789
		appendTo(t, st, matcher{}, e)
		log, err := st.Read(t.Context(), e.ProjectID, 0, 10)
		if err != nil || len(log) != 1 {
			t.Fatal(len(log), err)
		}
		got := *log[0]
		if !bytes.Equal(got.Payload, e.Payload) {
			t.Errorf("payload %s", got.Payload)
		}
		got.Payload, e.Payload = nil, nil
		if got.ID != e.ID || got.Kind != e.Kind || got.Environment != "dev" || got.Path != "/ä/b" || got.Actor != "me" || got.IdempotencyKey != "key" ||
			got.OccurredAt != e.OccurredAt || got.PublishedAt != e.PublishedAt || got.DefinitionID != e.DefinitionID {
			t.Errorf("read %+v, stored %+v", got, e)
		}
	})
}

func TestReadHasLimits(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		events := newEvents(100)
		big := hark.JSON(`"` + string(bytes.Repeat([]byte("x"), hark.MaxPayload-2)) + `"`)
		for _, e := range events[50:] {
			e.Payload = big
		}
		appendTo(t, st, matcher{}, events...)
		for name, tt := range map[string]struct {
			after       int64
			limit       int
			first, last int64
		}{
			"from the start":     {0, 10, 1, 10},
			"a negative cursor":  {-5, 10, 1, 10},
			"from the middle":    {20, 30, 21, 50},
			"4 MiB":              {50, 100, 51, 66},
			"the end":            {98, 10, 99, 100},
			"less than one page": {99, 1, 100, 100},
		} {
			got, err := st.Read(t.Context(), store.DefaultProjectID(), tt.after, tt.limit)
			if err != nil || len(got) != int(tt.last-tt.first+1) || got[0].Sequence != tt.first || got[len(got)-1].Sequence != tt.last {
				t.Errorf("%s: %d events, %v", name, len(got), err)
			}
		}
		if got, err := st.Read(t.Context(), store.DefaultProjectID(), 100, 10); err != nil || len(got) != 0 {
			t.Errorf("behind the end: %d events, %v", len(got), err)
		}
	})
}

func TestBoundsAndHeads(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		project, none := store.DefaultProjectID(), hark.NewID()
		if oldest, last, err := st.Bounds(t.Context(), project); err != nil || oldest != 1 || last != 0 {
			t.Errorf("an empty log: %d to %d, %v", oldest, last, err)
		}
		appendTo(t, st, matcher{}, newEvents(3)...)
		if oldest, last, err := st.Bounds(t.Context(), project); err != nil || oldest != 1 || last != 3 {
			t.Errorf("%d to %d, %v", oldest, last, err)
		}
		_, _, err := st.Bounds(t.Context(), none)
		if e, _ := errors.AsType[*hark.Error](err); e == nil || e.Code != hark.NotFound {
			t.Error(err)
		}
		heads, err := st.Heads(t.Context(), []hark.ID{project, none})
		if err != nil || len(heads) != 1 || heads[project] != 3 {
			t.Errorf("%v, %v", heads, err)
		}
	})
}

func TestSamplesDoNotMeet(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		at := hark.Now()
		for range 10 {
			e := newEvent()
			e.ID, e.PublishedAt, e.OccurredAt = hark.NewID(), at, at
			if err := st.Tx(t.Context(), func(tx *ent.Tx) error { return store.AppendSample(t.Context(), tx, e) }); err != nil {
				t.Fatal(err)
			}
			if got, err := st.Events(t.Context(), []hark.ID{e.ID, hark.NewID()}); err != nil || len(got) != 1 || got[0].Sequence != 0 {
				t.Fatal(got, err)
			}
		}
	})
}
