package store_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A matcher sends each event to the matches it lists.
type matcher []store.Match

func (matcher) Refresh(context.Context, hark.ID, int64, int64) error { return nil }
func (matcher) Check(*store.Append) error                            { return nil }
func (m matcher) Match(*hark.Event) []store.Match                    { return m }

func newEvent() *hark.Event {
	return &hark.Event{
		ProjectID: store.DefaultProjectID(), DefinitionID: hark.NewID(),
		Kind:    hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
		Payload: hark.JSON(`{"b":1, "a":<2>}`),
	}
}

func newEvents(n int) []*hark.Event {
	events := make([]*hark.Event, n)
	for i := range events {
		events[i] = newEvent()
	}
	return events
}

// appendTo stores events in one request.
func appendTo(t testing.TB, st *store.Store, m store.Matcher, events ...*hark.Event) *store.Append {
	t.Helper()
	r := &store.Append{Events: events}
	if err := st.Append(t.Context(), []*store.Append{r}, m, 0); err != nil {
		t.Fatal(err)
	}
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return r
}

// subscribe makes an active subscription of the default project.
func subscribe(t testing.TB, st *store.Store) hark.ID {
	t.Helper()
	id := hark.NewID()
	credentials, err := st.SealCredentials(id, hark.Credentials{Type: hark.Basic, Username: "u", Password: "secret-password"})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Ent().EventSubscription.Create().SetID(id).SetProjectID(store.DefaultProjectID()).SetOwnerID(hark.NewID()).
		SetSubscriberService("s").SetDeliveryEndpoint("http://127.0.0.1:1/").SetCallbackProtocol(hark.HTTP).SetPayloadType(hark.PayloadJSON).
		SetConditions(nil).SetScheduleSeconds([]int{5}).SetTimeoutSeconds(15).SetMaxInFlight(16).SetOrdered(false).SetHoldWhilePaused(true).
		SetSignature(hark.HMACSHA256).SetCredentials(credentials).SetSigningSecret(st.Seal(id, "whsec_old")).Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// pause and resume are what the service of subscriptions does.
func pause(t testing.TB, st *store.Store, id hark.ID) {
	t.Helper()
	setActive(t, st, id, false, store.Hold)
}

func resume(t testing.TB, st *store.Store, id hark.ID) {
	t.Helper()
	setActive(t, st, id, true, store.Unhold)
}

func setActive(t testing.TB, st *store.Store, id hark.ID, active bool, also func(context.Context, *ent.Tx, hark.ID) error) {
	t.Helper()
	err := st.Tx(t.Context(), func(tx *ent.Tx) error {
		if err := store.RaiseVersion(t.Context(), tx, store.DefaultProjectID()); err != nil {
			return err
		}
		if err := tx.EventSubscription.Update().Where(eventsubscription.ID(id)).SetActive(active).AddVersion(1).Exec(t.Context()); err != nil {
			return err
		}
		return also(t.Context(), tx, id)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// claim takes up to n deliveries of one subscription for a minute.
func claim(t testing.TB, st *store.Store, id hark.ID, n int) []*hark.Delivery {
	t.Helper()
	return claimAll(t, st, time.Minute, hark.Want{Subscription: id, N: n})
}

func claimAll(t testing.TB, st *store.Store, lease time.Duration, wants ...hark.Want) []*hark.Delivery {
	t.Helper()
	ds, err := st.Claim(t.Context(), wants, lease)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// record stores one outcome.
func record(t testing.TB, st *store.Store, d *hark.Delivery, status hark.DeliveryStatus, next hark.Time) {
	t.Helper()
	if err := st.Record(t.Context(), []*hark.Attempt{outcome(d, status, next)}); err != nil {
		t.Fatal(err)
	}
}

func outcome(d *hark.Delivery, status hark.DeliveryStatus, next hark.Time) *hark.Attempt {
	a := &hark.Attempt{Delivery: d, StartedAt: hark.Now(), Duration: time.Millisecond, StatusCode: 200, Status: status, NextAt: next}
	if status != hark.Succeeded {
		a.StatusCode, a.Error = 500, "answered 500"
	}
	return a
}

// row reads a delivery.
func row(t testing.TB, st *store.Store, id hark.ID) *ent.Delivery {
	t.Helper()
	d, err := st.Ent().Delivery.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// counts tells how many deliveries a subscription has in each state.
func counts(t testing.TB, st *store.Store, id hark.ID) map[hark.DeliveryStatus]int {
	t.Helper()
	ds, err := st.Ent().Delivery.Query().Where(delivery.SubscriptionID(id)).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := map[hark.DeliveryStatus]int{}
	for _, d := range ds {
		n[d.Status]++
	}
	return n
}

func sequences(ds []*hark.Delivery) (n []int64) {
	for _, d := range ds {
		n = append(n, d.Event.Sequence)
	}
	return n
}

// A database is one database that a test opens as several nodes do, and by plain SQL.
type database struct {
	url string
	sql *sql.DB
}

// databases runs a test on an empty database of each kind.
func databases(t *testing.T, test func(t *testing.T, db database)) {
	t.Helper()
	for name, open := range map[string]func(*testing.T) (url, driver, dsn string){
		"sqlite": func(t *testing.T) (string, string, string) {
			path := t.TempDir() + "/hark.db"
			return "sqlite://" + path, "sqlite", "file:" + path + "?_pragma=busy_timeout(10000)"
		},
		"postgres": func(t *testing.T) (string, string, string) {
			url := testkit.Postgres(t)
			return url, "pgx", url
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, driver, dsn := open(t)
			db, err := sql.Open(driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			test(t, database{url: url, sql: db})
		})
	}
}

// node opens the database without migrating it.
func (db database) node(t *testing.T, k seal.Keyset) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), db.url, seal.New(k))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// nodes opens two nodes on the migrated database; SQLite is for one node, which is both.
func (db database) nodes(t *testing.T) (a, b *store.Store) {
	t.Helper()
	k := seal.NewKeyset()
	a = db.node(t, k)
	b = a
	if strings.HasPrefix(db.url, "postgres") {
		b = db.node(t, k)
	}
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a, b
}
