package events_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent/eventdefinition"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/store"
)

// TestAlarmsArePublishedOnce has two nodes publish the same alarms.
func TestAlarmsArePublishedOnce(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		const alarms = 700
		raise := func(project hark.ID, operation string) {
			t.Helper()
			if err := a.store.Ent().Alarm.Create().SetProjectID(project).SetResourceType("subscription").SetOperationType(operation).
				SetPayload(hark.JSON(`{"reason":"answered 500"}`)).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.store.Ent().EventDefinition.Update().Where(eventdefinition.OperationType("closed")).SetDeletedAt(hark.Now()).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		raise(store.DefaultProjectID(), "closed") // is nothing that anybody wants to hear of
		raise(hark.NewID(), "opened")             // is of a project that is gone
		for range alarms {
			raise(store.DefaultProjectID(), "opened")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		for _, n := range []*node{a, b} {
			go func() { done <- events.NewAlarms(n.Publisher, slog.New(slog.DiscardHandler)).Run(ctx) }()
		}
		deadline := time.After(20 * time.Second)
		for left := 1; left > 0; {
			select {
			case <-deadline:
				t.Fatalf("%d alarms are left", left)
			case <-time.After(20 * time.Millisecond):
			}
			left = a.store.Ent().Alarm.Query().CountX(t.Context())
		}
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		list, err := a.store.Read(t.Context(), store.DefaultProjectID(), 0, alarms+1)
		if err != nil || len(list) != alarms {
			t.Fatalf("%d events, %v", len(list), err)
		}
		if e := list[0]; e.Kind.String() != "hark/subscription:opened" || string(e.Payload) != `{"reason":"answered 500"}` || e.Actor != "hark" {
			t.Errorf("%+v", e)
		}
	})
}
