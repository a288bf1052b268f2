package subscriptions_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/ent"
	entdelivery "github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/eventdefinition"
	"github.com/hark-events/hark/ent/predicate"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/internal/egress"
	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/subscriptions"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// An authority allows everything but what is set, and keeps what was audited.
type authority struct {
	mu      sync.Mutex
	denied  hark.Action              // is FORBIDDEN
	hidden  hark.ID                  // a project that is NOT_FOUND
	allows  func(e *hark.Event) bool // nil: all
	audited []string

	standing int64                                                         // see change
	has      func(owner hark.ID, e *hark.Event) bool                       // nil: owners may have everything
	register func(ctx context.Context, register []hark.Registration) error // nil: callers may subscribe to everything
}

// change changes what owners may have.
func (a *authority) change(has func(owner hark.ID, e *hark.Event) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.has = has
	a.standing++
}

func (a *authority) Standing(context.Context) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.standing, nil
}

func (a *authority) Owners(_ context.Context, _ hark.ID, owners []hark.ID) (map[hark.ID]func(*hark.Event) bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	may := map[hark.ID]func(*hark.Event) bool{}
	for _, id := range owners {
		has := a.has
		may[id] = func(e *hark.Event) bool { return has == nil || has(id, e) }
	}
	return may, nil
}

func (a *authority) Subscribable(ctx context.Context, project hark.ID, register []hark.Registration) (func(*hark.Event) bool, any, error) {
	if a.register != nil {
		if err := a.register(ctx, register); err != nil {
			return nil, nil, err
		}
	}
	allows, err := a.Permitted(ctx, hark.SubscribeEvents, project)
	return allows, nil, err
}

func (a *authority) Require(_ context.Context, action hark.Action, project hark.ID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case project == a.hidden:
		return hark.Errorf(hark.NotFound, "no such project")
	case action == a.denied:
		return hark.Errorf(hark.Forbidden, "no role of yours allows it")
	}
	return nil
}

func (a *authority) Projects(context.Context, hark.Action) (bool, []hark.ID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hidden.IsZero() {
		return true, nil, nil
	}
	return true, []hark.ID{a.hidden}, nil
}

func (a *authority) Permitted(ctx context.Context, action hark.Action, project hark.ID) (func(*hark.Event) bool, error) {
	return func(e *hark.Event) bool { return a.allows == nil || a.allows(e) }, a.Require(ctx, action, project)
}

func (a *authority) RequireGlobal(context.Context, hark.Action) error { return nil }
func (a *authority) RequireSome(context.Context, hark.Action) error   { return nil }

func (a *authority) Audit(ctx context.Context, tx *ent.Tx, action, target string, _ *hark.ID, _ any) error {
	a.mu.Lock()
	a.audited = append(a.audited, action)
	a.mu.Unlock()
	return tx.AuditEntry.Create().SetAction(action).SetTarget(target).Exec(ctx)
}

// A driver delivers to nobody: answer says what came of it.
type driver struct {
	mu     sync.Mutex
	answer func(d *hark.Delivery) (delivery.Receipt, error) // nil: 200
	got    []*hark.Delivery
}

func (*driver) Check(*hark.Subscription) error { return nil }

func (dr *driver) Deliver(_ context.Context, _ *hark.Subscription, d *hark.Delivery) (delivery.Receipt, error) {
	dr.mu.Lock()
	defer dr.mu.Unlock()
	dr.got = append(dr.got, d)
	if dr.answer != nil {
		return dr.answer(d)
	}
	return delivery.Receipt{StatusCode: 200}, nil
}

// A node is one node's share of the house, without a worker.
type node struct {
	*subscriptions.Service
	store     *store.Store
	publisher *events.Publisher
	authority *authority
	driver    *driver
	worker    *delivery.Worker // runs once run is called
}

func newNode(t testing.TB, st *store.Store) *node {
	t.Helper()
	policy, err := egress.NewPolicy([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	n := &node{store: st, authority: &authority{}, driver: &driver{}}
	drivers := delivery.Drivers{hark.HTTP: n.driver, hark.SOAP: n.driver, hark.GRPC: n.driver, hark.WebSocket: n.driver}
	n.worker = delivery.NewWorker(st, drivers, log, delivery.Config{})
	n.Service = subscriptions.New(st, n.authority, drivers, log, subscriptions.Config{CheckURL: policy.CheckURL, Wake: n.worker.Wake})
	broker := pubsub.NewLocal()
	t.Cleanup(func() { _ = broker.Close() })
	n.publisher = events.NewPublisher(st, events.NewCatalog(st), n.authority, broker, log, events.Config{Retention: time.Hour})
	return n
}

// run runs the node's worker until the test ends.
func (n *node) run(t testing.TB) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() { done <- n.worker.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// keep runs the node's background jobs until the test ends.
func (n *node) keep(t testing.TB) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// eventually waits until something holds, which others bring about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
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
			url, sealer := url(), seal.New(seal.NewKeyset())
			test(t, newNode(t, testkit.OpenSealed(t, url, sealer)), newNode(t, testkit.OpenSealed(t, url, sealer)))
		})
	}
}

// as is the context of the caller "tester".
func as(t testing.TB) context.Context {
	return hark.WithViewer(t.Context(), &hark.Viewer{IdentityID: hark.NewID(), Name: "tester"})
}

// definition finds one of the definitions that exist from the start, such as update.
func (n *node) definition(t testing.TB, operation string) hark.ID {
	t.Helper()
	id, err := n.store.Ent().EventDefinition.Query().Where(eventdefinition.OperationType(operation)).OnlyID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

const password = "pass-word-42"

// input is a subscription to secret:update as GraphQL hands it over: with its defaults.
func (n *node) input(t testing.TB) subscriptions.CreateEventSubscriptionInput {
	t.Helper()
	return subscriptions.CreateEventSubscriptionInput{
		EventDefinitionIds: []hark.ID{n.definition(t, "update")}, SubscriberService: "billing", DeliveryEndpoint: "http://127.0.0.1:1/hooks",
		CallbackProtocol: hark.HTTP, Active: true, Signature: hark.HMACSHA256, AllowOverlap: true,
		Auth: &subscriptions.SubscriptionAuthInput{Basic: &subscriptions.BasicAuthInput{Username: "u", Password: password}},
	}
}

// subscribe creates a subscription, changed from input.
func (n *node) subscribe(t testing.TB, change ...func(*subscriptions.CreateEventSubscriptionInput)) *ent.EventSubscription {
	t.Helper()
	in := n.input(t)
	for _, f := range change {
		f(&in)
	}
	row, _, err := n.Create(as(t), in)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func (n *node) publish(t testing.TB, count int) []*hark.Event {
	t.Helper()
	var list []*hark.NewEvent
	for range count {
		list = append(list, &hark.NewEvent{Kind: hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"}, Payload: hark.JSON(`{"a": 1}`)})
	}
	stored, _, err := n.publisher.Publish(as(t), list)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// rows reads deliveries in the order of their ids.
func (n *node) rows(t testing.TB, where ...predicate.Delivery) []*ent.Delivery {
	t.Helper()
	list, err := n.store.Ent().Delivery.Query().Where(where...).Order(entdelivery.ByID()).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// counts tells how many deliveries a subscription has in each state.
func (n *node) counts(t testing.TB, id hark.ID) map[hark.DeliveryStatus]int {
	t.Helper()
	counts := map[hark.DeliveryStatus]int{}
	for _, d := range n.rows(t, entdelivery.SubscriptionID(id)) {
		counts[d.Status]++
	}
	return counts
}

// claim takes all that is due of a subscription, for a minute.
func (n *node) claim(t testing.TB, id hark.ID) []*hark.Delivery {
	t.Helper()
	ds, err := n.store.Claim(t.Context(), []hark.Want{{Subscription: id, N: 1 << 20}}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// record stores what came of a claimed delivery.
func (n *node) record(t testing.TB, d *hark.Delivery, status hark.DeliveryStatus, took time.Duration) {
	t.Helper()
	a := &hark.Attempt{Delivery: d, StartedAt: hark.Now(), Duration: took, StatusCode: 200, Status: status}
	if status != hark.Succeeded {
		a.StatusCode, a.Error = 500, "answered 500"
	}
	if status == hark.Pending {
		a.NextAt = hark.Now().Add(time.Hour)
	}
	if err := n.store.Record(t.Context(), []*hark.Attempt{a}); err != nil {
		t.Fatal(err)
	}
}

// want checks the code and the field of an error.
func want(t testing.TB, what string, err error, code hark.Code, field string) {
	t.Helper()
	e, ok := errors.AsType[*hark.Error](err)
	if !ok || e.Code != code || e.Field != field {
		t.Errorf("%s: got %v, want %s at %q", what, err, code, field)
	}
}

func ref[T any](v T) *T { return &v }
