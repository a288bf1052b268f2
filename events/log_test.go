package events_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

// pages reads the log to its end, page by page.
func (n *node) pages(t *testing.T, first int, register ...hark.Registration) (sequences []int64, pages int) {
	t.Helper()
	var after *string
	for {
		p, err := n.log.List(t.Context(), hark.ID{}, register, &first, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Events) > first {
			t.Fatalf("%d events on a page of %d", len(p.Events), first)
		}
		for _, e := range p.Events {
			sequences = append(sequences, e.Sequence)
		}
		pages++
		if !p.More {
			return sequences, pages
		}
		end := p.End.String()
		after = &end
	}
}

func TestLogIsReadInPages(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st, events.Config{})
		n.define(t, "")
		var things []int64
		for i := range 30 {
			e := newEvent("1")
			if i%5 == 0 {
				e = newThing("1")
				things = append(things, int64(i+1))
			}
			e.Environment = fmt.Sprint(i % 2)
			n.publish(t, e)
		}
		if all, pages := n.pages(t, 7); len(all) != 30 || pages != 5 || !slices.IsSorted(all) {
			t.Errorf("%v on %d pages", all, pages)
		}
		if all, pages := n.pages(t, 10); len(all) != 30 || pages != 3 {
			t.Errorf("%v on %d pages: the last full page promises more", all, pages)
		}
		if got, _ := n.pages(t, 2, hark.Registration{Event: "thing:op"}); !slices.Equal(got, things) {
			t.Errorf("filtered: %v, want %v", got, things)
		}
		n.authority.allows = func(a hark.Action, e *hark.Event) bool { return a == hark.ReadEvents && e.Environment == "0" }
		if got, _ := n.pages(t, 50, hark.Registration{Event: "thing:op"}); !slices.Equal(got, []int64{1, 11, 21}) {
			t.Errorf("filtered and permitted: %v", got)
		}
		log := n.all(t)
		if e, err := n.log.Get(t.Context(), log[0].ID); err != nil || e.Sequence != 1 {
			t.Error(e, err)
		}
		for what, id := range map[string]hark.ID{"forbidden": log[1].ID, "unknown": hark.NewID()} {
			if _, err := n.log.Get(t.Context(), id); err == nil {
				t.Errorf("%s event is shown", what)
			} else {
				want(t, err, hark.NotFound, "")
			}
		}
		n.authority.hidden = log[0].ProjectID
		_, err := n.log.Get(t.Context(), log[0].ID)
		want(t, err, hark.NotFound, "")
	})
}

func TestLogRefuses(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	ctx := t.Context()
	n.publish(t, newEvents(5)...)
	list := func(first int, after string, register ...hark.Registration) error {
		_, err := n.log.List(ctx, hark.ID{}, register, &first, &after)
		return err
	}
	at := func(sequence int64) string {
		return hark.Cursor{Project: store.DefaultProjectID(), Sequence: sequence}.String()
	}
	for _, sequence := range []int64{0, 3, 5} {
		if err := list(1, at(sequence)); err != nil {
			t.Errorf("behind %d: %v", sequence, err)
		}
	}
	want(t, list(0, at(1)), hark.BadUserInput, "first")
	want(t, list(501, at(1)), hark.BadUserInput, "first")
	want(t, list(1, at(1), hark.Registration{Event: "a b"}), hark.BadUserInput, "register.0.event")
	want(t, list(1, "nonsense"), hark.BadUserInput, "after")
	want(t, list(1, hark.Cursor{Project: hark.NewID(), Sequence: 1}.String()), hark.BadUserInput, "after")
	want(t, list(1, at(6)), hark.CursorExpired, "after")
	if _, err := n.store.Trim(ctx, hark.Now()); err != nil {
		t.Fatal(err)
	}
	want(t, list(1, at(4)), hark.CursorExpired, "after")
	if err := list(1, at(5)); err != nil {
		t.Error(err)
	}
	n.authority.denied = hark.ReadEvents
	want(t, list(1, at(5)), hark.Forbidden, "")
	_, err := n.log.Get(ctx, hark.NewID())
	want(t, err, hark.Forbidden, "")
}

func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	big := `"` + strings.Repeat("x", 255<<10) + `"`
	for range 40 {
		n.publish(t, newEvent(big))
	}
	if all, pages := n.pages(t, 500); len(all) != 40 || pages != 3 {
		t.Errorf("%d events of 255 KiB on %d pages", len(all), pages)
	}
	for range 11 {
		n.publish(t, newEvents(hark.MaxPublish)...)
	}
	if all, pages := n.pages(t, 500, hark.Registration{Event: "nothing:such"}); len(all) != 0 || pages != 2 {
		t.Errorf("%d events on %d pages", len(all), pages)
	}
}

func TestRetentionRuns(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	n.publish(t, newEvents(700)...)
	n.publish(t, newEvents(500)...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- events.NewRetention(n.store, slog.New(slog.DiscardHandler), 0).Run(ctx) }()
	for len(n.all(t)) > 0 {
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	oldest, last, err := n.store.Bounds(t.Context(), store.DefaultProjectID())
	if err != nil || oldest != 1201 || last != 1200 {
		t.Errorf("the log is %d to %d, %v", oldest, last, err)
	}
	if p, err := n.log.List(t.Context(), hark.ID{}, nil, nil, nil); err != nil || len(p.Events) != 0 || p.More {
		t.Errorf("%+v, %v", p, err)
	}
}
