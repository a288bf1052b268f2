package events_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestDefinitionsLive(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		n := newNode(t, st, events.Config{})
		label, words := strings.Repeat("ä", 255), strings.Repeat("ö", 4096) // characters, not bytes
		in := thing(`{"type":"integer"}`)
		in.EventType, in.Description = &label, &words
		d, err := n.definitions.Create(ctx, in)
		if err != nil || *d.EventType != label || *d.Description != words || string(d.PayloadSchema) != `{"type":"integer"}` || d.CreatedAt != d.UpdatedAt {
			t.Fatal(d, err)
		}
		_, err = n.definitions.Create(ctx, in)
		want(t, err, hark.Conflict, "input")

		other := thing("null")
		other.ResourceType = "other"
		o, err := n.definitions.Create(ctx, other)
		if err != nil || len(o.PayloadSchema) != 0 {
			t.Fatal(o, err)
		}
		_, err = n.definitions.Update(ctx, o.ID, in)
		want(t, err, hark.Conflict, "input")
		d, err = n.definitions.Update(ctx, d.ID, thing(""))
		if err != nil || d.EventType != nil || d.Description != nil || len(d.PayloadSchema) != 0 || d.UpdatedAt <= d.CreatedAt {
			t.Error("an update does not replace all", d, err)
		}
		stored := n.publish(t, newThing("1"))[0]

		sub := n.subscribe(t, d.ID)
		want(t, n.definitions.Delete(ctx, d.ID), hark.Conflict, "")
		if err := st.Ent().EventSubscription.DeleteOneID(sub).Exec(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.definitions.Delete(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
		want(t, n.definitions.Delete(ctx, d.ID), hark.NotFound, "")
		_, err = n.definitions.Update(ctx, d.ID, in)
		want(t, err, hark.NotFound, "")
		_, err = n.definitions.Get(ctx, d.ID)
		want(t, err, hark.NotFound, "")
		if of, err := n.catalog.Definition(ctx, stored.DefinitionID); err != nil || of.ID != d.ID {
			t.Error("the definition of an event is gone", of, err)
		}
		_, err = n.catalog.Definition(ctx, hark.NewID())
		want(t, err, hark.NotFound, "")
		again, err := n.definitions.Create(ctx, in)
		if err != nil || again.ID == d.ID {
			t.Error("the key of a deleted definition is taken", err)
		}
	})
}

func TestDefinitionsRefuse(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	for name, tt := range map[string]struct {
		change func(*events.EventDefinitionInput)
		field  string
	}{
		"no source":          {func(in *events.EventDefinitionInput) { in.SourceService = "" }, "input.sourceService"},
		"slash in resource":  {func(in *events.EventDefinitionInput) { in.ResourceType = "a/b" }, "input.resourceType"},
		"star for operation": {func(in *events.EventDefinitionInput) { in.OperationType = "*" }, "input.operationType"},
		"long source":        {func(in *events.EventDefinitionInput) { in.SourceService = strings.Repeat("x", 65) }, "input.sourceService"},
		"long label":         {func(in *events.EventDefinitionInput) { s := strings.Repeat("x", 256); in.EventType = &s }, "input.eventType"},
		"empty label":        {func(in *events.EventDefinitionInput) { s := ""; in.EventType = &s }, "input.eventType"},
		"long description":   {func(in *events.EventDefinitionInput) { s := strings.Repeat("x", 4097); in.Description = &s }, "input.description"},
		"NUL in words":       {func(in *events.EventDefinitionInput) { s := "\x00"; in.Description = &s }, "input.description"},
		"no schema":          {schema(`{"type":"nonsense"}`), "input.payloadSchema"},
		"no JSON":            {schema(`{`), "input.payloadSchema"},
		"big schema":         {schema(`{"title":"` + strings.Repeat("x", 64<<10) + `"}`), "input.payloadSchema"},
		"file":               {schema(`{"$ref":"file:///etc/passwd"}`), "input.payloadSchema"},
		"host":               {schema(`{"$ref":"http://127.0.0.1:1/schema"}`), "input.payloadSchema"},
		"relative file":      {schema(`{"$id":"file:///etc/","$ref":"passwd"}`), "input.payloadSchema"},
		"host as draft":      {schema(`{"$schema":"http://127.0.0.1:1/draft"}`), "input.payloadSchema"},
		"nowhere inside":     {schema(`{"$ref":"#/$defs/a"}`), "input.payloadSchema"},
	} {
		t.Run(name, func(t *testing.T) {
			in := thing("")
			tt.change(&in)
			_, err := n.definitions.Create(t.Context(), in)
			want(t, err, hark.BadUserInput, tt.field)
		})
	}
	if err := n.definitions.Delete(t.Context(), n.define(t, `{"$defs":{"a":{"type":"integer"}},"$ref":"#/$defs/a"}`).ID); err != nil {
		t.Error(err)
	}
	n.define(t, `{"prefixItems":[{"type":"integer"}],"unevaluatedItems":false}`) // 2020-12
	n.publish(t, newThing("[1]"))
	_, _, err := n.Publish(t.Context(), []*hark.NewEvent{newThing("[1,2]")})
	want(t, err, hark.BadUserInput, "input.0.payload")
	_, _, err = n.Publish(t.Context(), []*hark.NewEvent{newThing(`["1"]`)})
	want(t, err, hark.BadUserInput, "input.0.payload")

	n.authority.denied = hark.ManageEventDefinitions
	_, err = n.definitions.Create(t.Context(), thing(""))
	want(t, err, hark.Forbidden, "")
	_, err = n.definitions.Update(t.Context(), hark.NewID(), thing(""))
	want(t, err, hark.Forbidden, "")
	want(t, n.definitions.Delete(t.Context(), hark.NewID()), hark.Forbidden, "")
	n.authority.denied = hark.ReadEventDefinitions
	_, err = n.definitions.Get(t.Context(), hark.NewID())
	want(t, err, hark.Forbidden, "")
	_, err = n.definitions.List(t.Context(), nil, nil, nil)
	want(t, err, hark.Forbidden, "")
}

func schema(text string) func(*events.EventDefinitionInput) {
	return func(in *events.EventDefinitionInput) { in.PayloadSchema = hark.JSON(text) }
}

func TestDefinitionsAreListed(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t), events.Config{})
	ctx := t.Context()
	list, err := n.definitions.List(ctx, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	there := len(list.Items) // those that exist from the start
	for _, name := range []string{"a", "b", "c"} {
		in := thing("")
		words := "Die Sache " + name
		in.OperationType, in.Description = name, &words
		if _, err := n.definitions.Create(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	names := func(f events.EventDefinitionFilter) (names []string) {
		list, err := n.definitions.List(ctx, &f, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list.Items {
			names = append(names, d.OperationType)
		}
		return names
	}
	app, b, search, nothing := "app", "b", "sACHE", "50%"
	for name, tt := range map[string]struct {
		filter events.EventDefinitionFilter
		want   []string
	}{
		"source":    {events.EventDefinitionFilter{SourceService: &app}, []string{"c", "b", "a"}},
		"both":      {events.EventDefinitionFilter{SourceService: &app, OperationType: &b}, []string{"b"}},
		"search":    {events.EventDefinitionFilter{Search: &search}, []string{"c", "b", "a"}},
		"wildcards": {events.EventDefinitionFilter{Search: &nothing}, nil},
	} {
		if got := names(tt.filter); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	first := 2
	page, err := n.definitions.List(ctx, nil, &first, nil)
	if err != nil || len(page.Items) != 2 || !page.More {
		t.Fatal(page, err)
	}
	if count, err := page.Count(ctx); err != nil || count != there+3 {
		t.Errorf("%d in all, want %d, %v", count, there+3, err)
	}
}

// TestDefinitionsAndSubscriptionsExclude lets deletions of a definition race
// with subscriptions to it: never do both succeed.
func TestDefinitionsAndSubscriptionsExclude(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		ctx := t.Context()
		for range 20 {
			d := a.define(t, "")
			var refers bool
			var deleted error
			var both sync.WaitGroup
			both.Go(func() { deleted = a.definitions.Delete(ctx, d.ID) })
			both.Go(func() {
				err := b.store.Tx(ctx, func(tx *ent.Tx) error {
					n, err := b.store.LockDefinitions(ctx, tx, []hark.ID{d.ID})
					if err != nil || n == 0 {
						return err
					}
					id := hark.NewID()
					refers = true
					return tx.EventSubscription.Create().SetID(id).SetProjectID(store.DefaultProjectID()).SetOwnerID(hark.NewID()).
						SetSubscriberService("s").SetDeliveryEndpoint("http://127.0.0.1:1/").SetCallbackProtocol(hark.HTTP).SetPayloadType(hark.PayloadJSON).
						SetConditions(nil).SetScheduleSeconds([]int{5}).SetTimeoutSeconds(15).SetMaxInFlight(16).SetOrdered(false).SetHoldWhilePaused(true).
						SetSignature(hark.HMACSHA256).SetCredentials([]byte{1}).SetSigningSecret([]byte{1}).AddEventDefinitionIDs(d.ID).Exec(ctx)
				})
				if err != nil {
					t.Error(err)
				}
			})
			both.Wait()
			if (deleted == nil) == refers {
				t.Fatalf("deleted: %v, referred to: %v", deleted, refers)
			}
			if deleted != nil {
				want(t, deleted, hark.Conflict, "")
				if _, err := a.store.Ent().EventSubscription.Delete().Exec(ctx); err != nil {
					t.Fatal(err)
				}
				if err := a.definitions.Delete(ctx, d.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestRegistrationsNameWhatIsRegistered(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		ctx := t.Context()
		check := func(patterns ...string) error {
			var register []hark.Registration
			for _, p := range patterns {
				register = append(register, hark.Registration{Event: p})
			}
			return b.catalog.CheckRegistered(ctx, register)
		}
		if err := check("secret:update", "secret:*", "*", "secret-manager/secret:create"); err != nil {
			t.Error(err)
		}
		want(t, check("*", "thing:op"), hark.BadUserInput, "register.1.event")
		want(t, check("a b"), hark.BadUserInput, "register.0.event")
		d := a.define(t, "")
		if err := check("thing:op"); err != nil {
			t.Error("a new definition of another node is not known", err)
		}
		if err := a.definitions.Delete(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
		want(t, check("thing:op"), hark.BadUserInput, "register.0.event")
	})
}

func TestCatalogFollowsOtherNodes(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		ctx := t.Context()
		d := a.define(t, "")
		if _, err := b.catalog.Definition(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
		in, words := thing(""), "changed"
		in.Description = &words
		if _, err := a.definitions.Update(ctx, d.ID, in); err != nil {
			t.Fatal(err)
		}
		deadline, tick := time.After(10*time.Second), time.NewTicker(20*time.Millisecond)
		defer tick.Stop()
		for {
			got, err := b.catalog.Definition(ctx, d.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.Description != nil && *got.Description == words {
				return
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatal("the change did not come to the other node")
			}
		}
	})
}
