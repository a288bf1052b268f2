package promises

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

const publishUpdate = `mutation { publishEvents(input: [{sourceService: "secret-manager", resourceType: "secret", operationType: "update", payload: []}]) { events { id } } }`

// publishOne publishes a secret:update and gives its id.
func publishOne(t *testing.T, c testkit.Client) string {
	t.Helper()
	return testkit.MustCall[struct {
		PublishEvents struct{ Events []struct{ ID string } }
	}](t, c, publishUpdate, nil).PublishEvents.Events[0].ID
}

// TestSubscriptionsAreTheirOwners takes a role from the identity that created a
// subscription, on another node than the one that publishes, and gives it back.
func TestSubscriptionsAreTheirOwners(t *testing.T) {
	t.Parallel()
	a := testkit.Hark(t)
	s := newSubscriber(t, nil)
	admin := a.Admin()
	owner := testkit.MustCall[struct{ CreateIdentity struct{ ID string } }](t, admin, `mutation { createIdentity(name: "billing") { id } }`, nil).CreateIdentity.ID
	roles := testkit.MustCall[struct{ Roles []struct{ ID, Name string } }](t, admin, `{ roles { id name } }`, nil).Roles
	role := roles[slices.IndexFunc(roles, func(r struct{ ID, Name string }) bool { return r.Name == "subscriber" })].ID
	grant := func(do string) {
		t.Helper()
		testkit.MustCall[any](t, admin, `mutation($i: UUID!, $r: UUID!) { `+do+`(identityId: $i, roleId: $r) { id } }`, testkit.Vars{"i": owner, "r": role})
	}
	grant("grantRole")
	token := testkit.MustCall[struct{ CreateAccessToken struct{ AccessToken string } }](t, admin,
		`mutation($i: UUID!) { createAccessToken(identityId: $i) { accessToken } }`, testkit.Vars{"i": owner}).CreateAccessToken.AccessToken
	c := testkit.Client{URL: a.URL(), Token: token}
	id, _ := create(t, c, input(t, admin, s.url))
	publishOne(t, admin)
	s.waitAll(t, 1)

	grant("revokeRole")
	held := publishOne(t, admin)
	explained := testkit.MustCall[struct {
		EventSubscription struct {
			Explain struct {
				Outcome  string
				Delivery struct {
					Status        string
					NextAttemptAt *string
				}
			}
		}
	}](t, admin, `query($s: UUID!, $e: UUID!) { eventSubscription(id: $s) { explain(eventId: $e) { outcome delivery { status nextAttemptAt } } } }`,
		testkit.Vars{"s": id, "e": held}).EventSubscription.Explain
	if explained.Outcome != "OWNER_NOT_PERMITTED" || explained.Delivery.Status != "HELD" || explained.Delivery.NextAttemptAt != nil {
		t.Errorf("%+v", explained)
	}
	grant("grantRole")
	s.waitAll(t, 2)
}

// TestHarkTellsOfItself has a subscription watch what becomes of another one,
// and fail itself at times: of that nothing is told.
func TestHarkTellsOfItself(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	admin := n.Admin()
	told := newBoard()
	var events []string
	watcher := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			EventType string
			Payload   struct{ EventSubscriptionID, Reason string }
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &e); err != nil {
			t.Error(err)
		}
		told.change(func() {
			events = append(events, e.EventType+" "+e.Payload.EventSubscriptionID+" "+e.Payload.Reason)
			if len(events) <= 3 {
				w.WriteHeader(http.StatusTeapot)
			}
		})
	}))
	t.Cleanup(watcher.Close)
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(failing.Close)
	subscribe := func(in testkit.Vars) string {
		t.Helper()
		in["retryPolicy"] = testkit.Vars{"scheduleSeconds": []int{}}
		id, _ := create(t, admin, in)
		return id
	}
	var definitions []string
	for _, d := range testkit.MustCall[struct {
		EventDefinitions struct{ Nodes []struct{ ID string } }
	}](t, admin, `{ eventDefinitions(filter: {sourceService: "hark"}) { nodes { id } } }`, nil).EventDefinitions.Nodes {
		definitions = append(definitions, d.ID)
	}
	watch := input(t, admin, watcher.URL)
	watch["eventDefinitionIds"] = definitions
	subscribe(watch)
	id := subscribe(input(t, admin, failing.URL))
	for range 10 {
		publishOne(t, admin)
	}
	const reason = " answered 503"
	want := []string{"subscription:failing " + id + reason, "subscription:opened " + id + reason}
	for range 10 {
		want = append(want, "delivery:dead "+id+reason)
	}
	slices.Sort(want)
	told.wait(t, "what is told", func() bool { return len(events) >= len(want) })
	publishOne(t, admin) // its circuit is open: nothing new to tell
	told.look(func() {
		got := slices.Sorted(slices.Values(events))
		if !slices.Equal(got, want) {
			t.Errorf("told\n%q\nwant\n%q", got, want)
		}
	})
	type log struct {
		Events struct {
			Nodes []struct{ ProjectType, EventType string }
		}
	}
	list := testkit.MustCall[log](t, admin, `{ events(filter: {}, first: 500) { nodes { projectType eventType } } }`, nil).Events.Nodes
	if len(list) != 10+len(want)+1 {
		t.Errorf("%d events in the log, want %d: the watcher's own failures are not told of", len(list), 10+len(want)+1)
	}
}
