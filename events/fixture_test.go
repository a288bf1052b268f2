package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/predicate"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// An authority allows everything but what is set.
type authority struct {
	denied hark.Action                             // is FORBIDDEN
	hidden hark.ID                                 // a project that is NOT_FOUND
	allows func(a hark.Action, e *hark.Event) bool // nil: all

	audited []string
}

func (a *authority) deny(action hark.Action) error {
	if a.denied == action {
		return hark.Errorf(hark.Forbidden, "no role of yours allows it")
	}
	return nil
}

func (a *authority) Permitted(_ context.Context, action hark.Action, project hark.ID) (func(*hark.Event) bool, error) {
	if project == a.hidden {
		return nil, hark.Errorf(hark.NotFound, "no such project")
	}
	return func(e *hark.Event) bool { return a.allows == nil || a.allows(action, e) }, a.deny(action)
}

func (a *authority) RequireGlobal(_ context.Context, action hark.Action) error { return a.deny(action) }

func (a *authority) Standing(context.Context) (int64, error) { return 0, nil }

func (a *authority) Owners(_ context.Context, _ hark.ID, owners []hark.ID) (map[hark.ID]func(*hark.Event) bool, error) {
	may := map[hark.ID]func(*hark.Event) bool{}
	for _, id := range owners {
		may[id] = func(*hark.Event) bool { return true }
	}
	return may, nil
}

func (a *authority) Audit(_ context.Context, _ *ent.Tx, action, _ string, _ *hark.ID, detail any) error {
	a.audited = append(a.audited, fmt.Sprintf("%s %+v", action, detail))
	return nil
}

func (a *authority) RequireSome(_ context.Context, action hark.Action) error { return a.deny(action) }

// A node is one node's share of the house.
type node struct {
	*events.Publisher
	store       *store.Store
	catalog     *events.Catalog
	definitions *events.Definitions
	log         *events.Log
	authority   *authority
	broker      *pubsub.Local
}

func newNode(t testing.TB, st *store.Store, c events.Config) *node {
	t.Helper()
	if c.Retention == 0 {
		c.Retention = time.Hour
	}
	n := &node{store: st, catalog: events.NewCatalog(st), authority: &authority{}, broker: pubsub.NewLocal()}
	n.Publisher = events.NewPublisher(st, n.catalog, n.authority, n.broker, slog.New(slog.DiscardHandler), c)
	n.definitions = events.NewDefinitions(st, n.catalog, n.authority)
	n.log = events.NewLog(st, n.authority)
	t.Cleanup(func() { _ = n.broker.Close() })
	return n
}

// nodes runs a test with two nodes on one database of each kind.
func nodes(t *testing.T, test func(t *testing.T, a, b *node)) {
	t.Helper()
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite://" + t.TempDir() + "/hark.db" },
		"postgres": func() string { return testkit.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := url()
			test(t, newNode(t, testkit.OpenStore(t, url), events.Config{}), newNode(t, testkit.OpenStore(t, url), events.Config{}))
		})
	}
}

// secretUpdate is a kind that is registered from the start.
func secretUpdate() hark.Kind {
	return hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"}
}

func newEvent(payload string) *hark.NewEvent {
	return &hark.NewEvent{Kind: secretUpdate(), Payload: hark.JSON(payload)}
}

func newEvents(n int) (list []*hark.NewEvent) {
	for range n {
		list = append(list, newEvent("1"))
	}
	return list
}

func (n *node) publish(t testing.TB, list ...*hark.NewEvent) []*hark.Event {
	t.Helper()
	stored, _, err := n.Publish(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// define registers app/thing:op with a schema.
func (n *node) define(t testing.TB, schema string) *ent.EventDefinition {
	t.Helper()
	d, err := n.definitions.Create(t.Context(), thing(schema))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func thing(schema string) events.EventDefinitionInput {
	return events.EventDefinitionInput{SourceService: "app", ResourceType: "thing", OperationType: "op", PayloadSchema: hark.JSON(schema)}
}

func newThing(payload string) *hark.NewEvent {
	return &hark.NewEvent{Kind: hark.Kind{SourceService: "app", ResourceType: "thing", OperationType: "op"}, Payload: hark.JSON(payload)}
}

// subscribe makes an active subscription of the default project to a definition, as the service of subscriptions does.
func (n *node) subscribe(t testing.TB, definition hark.ID, conditions ...*hark.Conditions) hark.ID {
	t.Helper()
	id := hark.NewID()
	err := n.store.Tx(t.Context(), func(tx *ent.Tx) error {
		if err := store.RaiseVersion(t.Context(), tx, store.DefaultProjectID()); err != nil {
			return err
		}
		return tx.EventSubscription.Create().SetID(id).SetProjectID(store.DefaultProjectID()).SetOwnerID(hark.NewID()).
			SetSubscriberService("s").SetDeliveryEndpoint("http://127.0.0.1:1/").SetCallbackProtocol(hark.HTTP).SetPayloadType(hark.PayloadJSON).
			SetConditions(conditions).SetScheduleSeconds([]int{5}).SetTimeoutSeconds(15).SetMaxInFlight(16).SetOrdered(false).SetHoldWhilePaused(true).
			SetSignature(hark.HMACSHA256).SetCredentials([]byte{1}).SetSigningSecret([]byte{1}).AddEventDefinitionIDs(definition).Exec(t.Context())
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// want checks the code and the field of an error.
func want(t testing.TB, err error, code hark.Code, field string) {
	t.Helper()
	e, ok := errors.AsType[*hark.Error](err)
	if !ok || e.Code != code || e.Field != field {
		t.Errorf("got %v, want %s at %q", err, code, field)
	}
}

// all reads the whole log of the default project.
func (n *node) all(t testing.TB) []*hark.Event {
	t.Helper()
	list, err := n.store.Read(t.Context(), store.DefaultProjectID(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// deliveries counts deliveries.
func (n *node) deliveries(t testing.TB, where ...predicate.Delivery) int {
	t.Helper()
	count, err := n.store.Ent().Delivery.Query().Where(where...).Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return count
}
