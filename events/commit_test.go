package events_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestConcurrentRequestsShareTransactions(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var commits []events.Commit
	n := newNode(t, testkit.Store(t), events.Config{Observe: func(c events.Commit) {
		mu.Lock()
		defer mu.Unlock()
		commits = append(commits, c)
	}})
	var heard []int64
	cancel := n.broker.Subscribe(store.DefaultProjectID(), func(list []*hark.Event) {
		for _, e := range list {
			heard = append(heard, e.Sequence)
		}
	})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for size := range 4 {
				stored := n.publish(t, newEvents(size+1)...)
				for i, e := range stored {
					if e.Sequence != stored[0].Sequence+int64(i) {
						t.Errorf("event %d of a request has sequence %d, the first %d", i, e.Sequence, stored[0].Sequence)
					}
				}
			}
		})
	}
	all.Wait()
	cancel()
	requests, stored := 0, 0
	for _, c := range commits {
		requests, stored = requests+c.Requests, stored+c.Events
	}
	if requests != 200 || stored != 500 || len(commits) == 200 {
		t.Errorf("%d requests with %d events in %d transactions", requests, stored, len(commits))
	}
	if !slices.IsSorted(heard) || len(heard) != 500 || heard[499] != 500 {
		t.Errorf("%d events were announced, in order: %v", len(heard), slices.IsSorted(heard))
	}
}

func TestDefinitionChangesUntilTheCommit(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		ctx := t.Context()
		d := a.define(t, `{"type":"integer"}`)
		n := len(b.all(t))
		for name, tt := range map[string]struct {
			change func() error
			field  string // of the error; empty: stored
		}{
			"tightened": {func() error { _, err := a.definitions.Update(ctx, d.ID, thing(`{"minimum":10}`)); return err }, "input.0.payload"},
			"renamed": {func() error {
				in := thing("")
				in.OperationType = "other"
				_, err := a.definitions.Update(ctx, d.ID, in)
				return err
			}, "input.0"},
			"loosened": {func() error { _, err := a.definitions.Update(ctx, d.ID, thing(``)); return err }, ""},
			"made anew": {func() error {
				if err := a.definitions.Delete(ctx, d.ID); err != nil {
					return err
				}
				again, err := a.definitions.Create(ctx, thing(`{"type":"integer"}`))
				d = again
				return err
			}, ""},
			"deleted": {func() error { return a.definitions.Delete(ctx, d.ID) }, "input.0"},
		} {
			if _, err := a.definitions.Update(ctx, d.ID, thing(`{"type":"integer"}`)); err != nil {
				d = a.define(t, `{"type":"integer"}`) // an earlier case deleted it
			}
			commit, err := b.Prepare(ctx, newThing("5"))
			if err != nil {
				t.Fatal(name, err)
			}
			if err := tt.change(); err != nil {
				t.Fatal(name, err)
			}
			b.publish(t, newEvent("1")) // refreshes what this node knows
			n++
			err = commit()
			switch {
			case tt.field != "":
				want(t, err, hark.BadUserInput, tt.field)
			case err != nil:
				t.Error(name, err)
			default:
				n++
				log := b.all(t)
				if last := log[len(log)-1]; last.DefinitionID != d.ID {
					t.Errorf("%s: the event is of definition %s, want %s", name, last.DefinitionID, d.ID)
				}
			}
		}
		if log := b.all(t); len(log) != n {
			t.Errorf("%d events are stored, want %d", len(log), n)
		}
	})
}

func TestDefinitionsOfOtherNodesHoldAtOnce(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		ctx := t.Context()
		d := a.define(t, `{"type":"integer"}`)
		b.publish(t, newThing("1"))
		if _, err := a.definitions.Update(ctx, d.ID, thing(`{"type":"string"}`)); err != nil {
			t.Fatal(err)
		}
		b.publish(t, newThing(`"1"`)) // what b knew would refuse it
		if _, err := a.definitions.Update(ctx, d.ID, thing(`{"type":"boolean"}`)); err != nil {
			t.Fatal(err)
		}
		_, _, err := b.Publish(ctx, []*hark.NewEvent{newThing(`"1"`)}) // what b knew would accept it
		want(t, err, hark.BadUserInput, "input.0.payload")
	})
}

// A starter has so many places, and fails the test when they don't balance.
type starter struct {
	mu            sync.Mutex
	free, taken   int
	started, woke int
}

func (s *starter) Reserve(hark.ID, int64) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		return 0, false
	}
	s.free--
	s.taken++
	return time.Minute, true
}

func (s *starter) Unreserve(_ hark.ID, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free, s.taken = s.free+n, s.taken-n
}

func (s *starter) Start(ds []*hark.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started, s.taken = s.started+len(ds), s.taken-len(ds)
}

func (s *starter) Due() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.woke++
}

func TestPlacesBalance(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		s := &starter{free: 3}
		n := newNode(t, st, events.Config{Starter: s})
		stored := n.publish(t, newEvent("1"))
		n.subscribe(t, stored[0].DefinitionID)

		n.publish(t, newEvents(2)...)
		if s.started != 2 || s.taken != 0 || s.free != 1 || s.woke != 0 {
			t.Fatalf("with room for all: %+v", s)
		}
		n.publish(t, newEvents(2)...)
		if s.started != 3 || s.taken != 0 || s.woke != 1 {
			t.Fatalf("with room for one of two: %+v", s)
		}
		due, err := st.Ent().Delivery.Query().Where(delivery.StatusEQ(hark.Pending)).Count(ctx)
		if err != nil || due != 1 {
			t.Errorf("%d deliveries wait, %v", due, err)
		}

		// An event in the way of the next sequence: the commit fails.
		err = st.Ent().Event.Create().SetID(hark.NewID()).SetProjectID(store.DefaultProjectID()).SetSequence(6).SetDefinitionID(hark.NewID()).SetSourceService("s").
			SetResourceType("r").SetOperationType("o").SetEnvironment("").SetPath("").SetPayload(hark.JSON("1")).SetActor("").SetOccurredAt(1).SetPublishedAt(1).SetIdempotencyKey("").Exec(ctx)
		if err != nil {
			t.Fatal(err)
		}
		s.free = 1
		if _, _, err := n.Publish(ctx, newEvents(2)); err == nil {
			t.Fatal("a sequence was given twice")
		}
		if s.started != 3 || s.taken != 0 || s.free != 1 || s.woke != 1 {
			t.Errorf("after a commit that failed: %+v", s)
		}
	})
}

func TestConditionsDecide(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	definition := n.publish(t, newEvent("1"))[0].DefinitionID
	staging, app, root := "staging", "/app/**", "/"
	subs := map[string]hark.ID{
		"no condition": n.subscribe(t, definition),
		"environment":  n.subscribe(t, definition, &hark.Conditions{EnvironmentSlug: &staging}),
		"path":         n.subscribe(t, definition, &hark.Conditions{SecretPath: &app}),
		"both":         n.subscribe(t, definition, &hark.Conditions{EnvironmentSlug: &staging, SecretPath: &app}),
		"any of two":   n.subscribe(t, definition, &hark.Conditions{EnvironmentSlug: &staging}, &hark.Conditions{SecretPath: &root}),
		"empty":        n.subscribe(t, definition, &hark.Conditions{}),
	}
	for _, tt := range []struct {
		environment, path string
		matches           []string
	}{
		{"", "", []string{"empty", "no condition"}},
		{"staging", "", []string{"any of two", "empty", "environment", "no condition"}},
		{"Staging", "/app", []string{"empty", "no condition", "path"}},
		{"staging", "/app/x/y", []string{"any of two", "both", "empty", "environment", "no condition", "path"}},
		{"prod", "/", []string{"any of two", "empty", "no condition"}},
		{"prod", "/apple", []string{"empty", "no condition"}},
	} {
		e := newEvent("1")
		e.Environment, e.Path = tt.environment, tt.path
		id := n.publish(t, e)[0].ID
		var got []string
		for name, sub := range subs {
			if n.deliveries(t, delivery.EventID(id), delivery.SubscriptionID(sub)) == 1 {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.matches) {
			t.Errorf("%q %q: %v, want %v", tt.environment, tt.path, got, tt.matches)
		}
	}
}

func TestOneBrokenSchemaHindersNoOther(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	d := n.define(t, `{"type":"integer"}`)
	err := n.store.Tx(t.Context(), func(tx *ent.Tx) error {
		return errors.Join(store.RaiseRevision(t.Context(), tx, store.Definitions),
			tx.EventDefinition.UpdateOneID(d.ID).SetPayloadSchema(hark.JSON(`{"type":"nonsense"}`)).Exec(t.Context()))
	})
	if err != nil {
		t.Fatal(err)
	}
	n.publish(t, newEvent("1"))
	_, _, err = n.Publish(t.Context(), []*hark.NewEvent{newThing("1")})
	if _, shown := errors.AsType[*hark.Error](err); err == nil || shown {
		t.Errorf("published against a broken schema: %v", err)
	}
}

func TestPublishLeavesWithItsCaller(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	commit, err := n.Prepare(ctx, newEvent("1"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := commit(); !errors.Is(err, context.Canceled) || len(n.all(t)) != 0 {
		t.Errorf("%v, %d events", err, len(n.all(t)))
	}
}
