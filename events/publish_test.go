package events_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/internal/testkit"
)

func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	n.define(t, `{"type":"object","required":["a"],"properties":{"a":{"type":"array","items":{"type":"integer"}}}}`)
	n.authority.hidden = hark.NewID()
	n.authority.allows = func(_ hark.Action, e *hark.Event) bool { return e.Environment != "forbidden" }
	long := strings.Repeat("x", 256)
	with := func(f func(*hark.NewEvent)) *hark.NewEvent { e := newEvent("1"); f(e); return e }
	for name, tt := range map[string]struct {
		event *hark.NewEvent
		code  hark.Code
		field string
	}{
		"unregistered":        {with(func(e *hark.NewEvent) { e.OperationType = "unheard" }), hark.BadUserInput, "input.1"},
		"no source":           {with(func(e *hark.NewEvent) { e.SourceService = "" }), hark.BadUserInput, "input.1.sourceService"},
		"long resource":       {with(func(e *hark.NewEvent) { e.ResourceType = long }), hark.BadUserInput, "input.1.resourceType"},
		"relative path":       {with(func(e *hark.NewEvent) { e.Path = "app" }), hark.BadUserInput, "input.1.path"},
		"long path":           {with(func(e *hark.NewEvent) { e.Path = "/" + strings.Repeat("x", hark.MaxPath) }), hark.BadUserInput, "input.1.path"},
		"control in path":     {with(func(e *hark.NewEvent) { e.Path = "/\n" }), hark.BadUserInput, "input.1.path"},
		"long environment":    {with(func(e *hark.NewEvent) { e.Environment = long }), hark.BadUserInput, "input.1.environment"},
		"long actor":          {with(func(e *hark.NewEvent) { e.Actor = long }), hark.BadUserInput, "input.1.actor"},
		"long key":            {with(func(e *hark.NewEvent) { e.IdempotencyKey = long }), hark.BadUserInput, "input.1.idempotencyKey"},
		"no payload":          {newEvent(""), hark.BadUserInput, "input.1.payload"},
		"broken payload":      {newEvent(`{"a":}`), hark.BadUserInput, "input.1.payload"},
		"big payload":         {newEvent(`"` + strings.Repeat("x", hark.MaxPayload) + `"`), hark.BadUserInput, "input.1.payload"},
		"payload not UTF-8":   {newEvent("\"\xff\""), hark.BadUserInput, "input.1.payload"},
		"deep payload":        {newEvent(strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)), hark.BadUserInput, "input.1.payload"},
		"against the schema":  {newThing(`{"a":[1,"2"]}`), hark.BadUserInput, "input.1.payload"},
		"hark's own":          {with(func(e *hark.NewEvent) { e.SourceService, e.ResourceType, e.OperationType = "hark", "delivery", "dead" }), hark.BadUserInput, "input.1.sourceService"},
		"not permitted there": {with(func(e *hark.NewEvent) { e.Environment = "forbidden" }), hark.Forbidden, ""},
		"hidden project":      {with(func(e *hark.NewEvent) { e.ProjectID = n.authority.hidden }), hark.NotFound, ""},
		"no such project":     {with(func(e *hark.NewEvent) { e.ProjectID = hark.NewID() }), hark.NotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := n.Publish(t.Context(), []*hark.NewEvent{newEvent("1"), tt.event})
			want(t, err, tt.code, tt.field)
		})
	}
	for _, size := range []int{0, hark.MaxPublish + 1} {
		_, _, err := n.Publish(t.Context(), newEvents(size))
		want(t, err, hark.BadUserInput, "input")
	}
	_, _, err := n.Publish(t.Context(), []*hark.NewEvent{newThing(`{"a":[1,"2"]}`)})
	if !strings.Contains(err.Error(), "app/thing:op") || !strings.Contains(err.Error(), "/a/1") {
		t.Errorf("the error names neither the definition nor the place: %v", err)
	}
	if log := n.all(t); len(log) != 0 {
		t.Errorf("%d events of refused requests were stored", len(log))
	}
	if stored := n.publish(t, newEvents(hark.MaxPublish)...); stored[999].Sequence != 1000 {
		t.Errorf("the last of 1,000 events has sequence %d", stored[999].Sequence)
	}
	n.authority.denied = hark.PublishEvents
	_, _, err = n.Publish(t.Context(), newEvents(1))
	want(t, err, hark.Forbidden, "")
}

func TestPayloadsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		payloads := []string{
			`{"z":1,"a":1.0,"z":2}`, " { \"a\" :\t1e2,\n\"b\":12345678901234567890.10 } ", `"<a&b>\u2028é\/"`, "null", "-0", `"` + strings.Repeat("ä", 1000) + `"`,
		}
		for _, p := range payloads {
			a.publish(t, newEvent(p))
		}
		for i, e := range b.all(t) {
			if string(e.Payload) != payloads[i] {
				t.Errorf("published %q, stored %q", payloads[i], e.Payload)
			}
		}
	})
}

func TestPublishFillsIn(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	before := hark.Now()
	early := newEvent("1")
	early.OccurredAt, early.Environment, early.Path, early.Actor = 1, "staging", "/ä", "ci"
	stored := n.publish(t, newEvent("1"), early)
	for i, e := range n.all(t) {
		if got, want := fmt.Sprintf("%+v", *e), fmt.Sprintf("%+v", *stored[i]); got != want {
			t.Errorf("answered %+v, stored %+v", stored[i], e)
		}
	}
	if e := stored[0]; e.OccurredAt != e.PublishedAt || e.PublishedAt < before || e.ID.IsZero() || e.DefinitionID.IsZero() {
		t.Errorf("%+v", e)
	}
	if e := stored[1]; e.OccurredAt != 1 || e.Environment != "staging" || e.Path != "/ä" || e.Actor != "ci" || e.Sequence != 2 {
		t.Errorf("%+v", e)
	}
}

func TestDuplicatesAreTheStoredEvent(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	keyed := func(key, payload string) *hark.NewEvent {
		e := newEvent(payload)
		e.IdempotencyKey = key
		return e
	}
	first := n.publish(t, keyed("a", "1"))[0]
	stored, duplicates, err := n.Publish(t.Context(), []*hark.NewEvent{keyed("b", "2"), keyed("a", "3"), keyed("b", "4")})
	if err != nil || duplicates != 2 || stored[1].ID != first.ID || string(stored[1].Payload) != "1" || stored[2] != stored[0] {
		t.Errorf("%d duplicates, %v, %v", duplicates, stored, err)
	}
	if log := n.all(t); len(log) != 2 {
		t.Errorf("%d events are stored", len(log))
	}
}

// TestDuplicateOfAnotherPlace: a key gives nobody an event that is out of its reach.
func TestDuplicateOfAnotherPlace(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	in := func(environment string) *hark.NewEvent {
		e := newEvent("1")
		e.Environment, e.IdempotencyKey = environment, "key"
		return e
	}
	first := n.publish(t, in("prod"))[0]
	n.authority.allows = func(_ hark.Action, e *hark.Event) bool { return e.Environment == "dev" }
	_, _, err := n.Publish(t.Context(), []*hark.NewEvent{newEvents(1)[0], in("dev")})
	want(t, err, hark.Forbidden, "") // of the event without an environment
	_, _, err = n.Publish(t.Context(), []*hark.NewEvent{in("dev")})
	want(t, err, hark.Conflict, "input.0.idempotencyKey")
	n.authority.allows = func(a hark.Action, e *hark.Event) bool { return e.Environment == "dev" || a == hark.ReadEvents }
	stored, duplicates, err := n.Publish(t.Context(), []*hark.NewEvent{in("dev")})
	if err != nil || duplicates != 1 || stored[0].ID != first.ID {
		t.Errorf("%v %d %v", stored, duplicates, err)
	}
	if log := n.all(t); len(log) != 1 {
		t.Errorf("%d events are stored", len(log))
	}
}
