package resolvers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

const nobody = "01890a5d-ac96-774b-bcce-b302099a8057" // an id that nothing has

// TestEveryField asks for every query, mutation and subscription of the schema,
// as it should be and once as it should not.
func TestEveryField(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		h := build(t, st)
		h.t = t
		h.definitions()
		h.subscriptions()
		h.deliveries()
		h.access()
		h.streams()
		schema := graph.NewExecutableSchema(graph.Config{}).Schema()
		for root, of := range map[string]string{"query": "Query", "mutation": "Mutation", "subscription": "Subscription"} {
			for _, f := range schema.Types[of].Fields {
				if !h.used[root+"."+f.Name] && f.Name[0] != '_' {
					t.Errorf("nobody asked for %s.%s", of, f.Name)
				}
			}
		}
	})
}

func (h *house) definitions() {
	t := h.t
	const create = `mutation($in: EventDefinitionInput!) { createEventDefinition(input: $in) { id key sourceService eventType description payloadSchema createdAt updatedAt } }`
	in := map[string]any{"sourceService": "app", "resourceType": "thing", "operationType": "op", "payloadSchema": map[string]any{"type": "object"}}
	id := h.id("createEventDefinition.id", create, "in", in)
	h.refused("CONFLICT", "input", create, "in", in)
	h.refused("BAD_USER_INPUT", "input.sourceService", create, "in", map[string]any{"sourceService": "", "resourceType": "a", "operationType": "b"})
	if key := h.id("eventDefinition.key", `query($id: UUID!) { eventDefinition(id: $id) { key } }`, "id", id); key != "app/thing:op" {
		t.Errorf("key %s", key)
	}
	h.missing(`query($id: UUID!) { eventDefinition(id: $id) { key } }`, "eventDefinition")
	const update = `mutation($id: UUID!, $in: EventDefinitionInput!) { updateEventDefinition(id: $id, input: $in) { description payloadSchema } }`
	in["description"] = "words"
	if s := h.id("updateEventDefinition.description", update, "id", id, "in", in); s != "words" {
		t.Error(s)
	}
	h.refused("NOT_FOUND", "", update, "id", nobody, "in", in)
	if n := h.do("eventDefinitions.totalCount", `{ eventDefinitions(filter: {sourceService: "app"}) { totalCount nodes { id } } }`); n != 1.0 {
		t.Errorf("%v definitions", n)
	}
	h.refused("BAD_USER_INPUT", "first", `{ eventDefinitions(first: 501) { totalCount } }`)

	const publish = `mutation($in: [PublishEventInput!]!) { publishEvents(input: $in) { duplicates events { id sequence cursor payload environment path actor definition { key } } } }`
	events := []any{map[string]any{"sourceService": "app", "resourceType": "thing", "operationType": "op", "payload": map[string]any{"a": 1}, "path": "/x"}}
	event := h.id("publishEvents.events.0.id", publish, "in", events)
	h.refused("BAD_USER_INPUT", "input.1.payload", publish, "in", append(events, map[string]any{"sourceService": "app", "resourceType": "thing", "operationType": "op", "payload": 1}))
	if p := h.id("event.path", `query($id: UUID!) { event(id: $id) { path eventType deliveries { nodes { id } } } }`, "id", event); p != "/x" {
		t.Error(p)
	}
	h.missing(`query($id: UUID!) { event(id: $id) { id } }`, "event")
	if n := h.id("events.nodes.0.id", `{ events(filter: {register: [{event: "thing:op"}]}) { nodes { id } edges { cursor } pageInfo { hasNextPage endCursor } } }`); n != event {
		t.Error(n)
	}
	h.refused("NOT_FOUND", "", `query($id: UUID!) { events(filter: {projectId: $id}) { nodes { id } } }`, "id", nobody)

	const remove = `mutation($id: UUID!) { deleteEventDefinition(id: $id) }`
	h.do("deleteEventDefinition", remove, "id", id)
	h.refused("NOT_FOUND", "", remove, "id", id)
	if key := h.id("event.definition.key", `query($id: UUID!) { event(id: $id) { definition { key } } }`, "id", event); key != "app/thing:op" {
		t.Error("the definition of an event is gone", key)
	}
}

// missing asks for one thing that there is not: null, or NOT_FOUND.
func (h *house) missing(query, field string) {
	h.t.Helper()
	a := h.ask(h.admin, query, "id", nobody)
	if code, _ := a.code(); a.Data[field] != nil || code != "" && code != "NOT_FOUND" {
		h.t.Errorf("%s: %v, %s", query, a.Data, code)
	}
}

const createSubscription = `mutation($in: CreateEventSubscriptionInput!) { createEventSubscription(input: $in) { signingSecret eventSubscription {
	id active health requestMethod soapVersion payloadType maxPerSecond conditions { secretPath } retryPolicy { scheduleSeconds } project { slug } eventDefinitions { key }
	auth { ... on BasicAuth { type username } } } } }`

func (h *house) input() map[string]any {
	definition := h.id("eventDefinitions.nodes.0.id", `{ eventDefinitions(filter: {resourceType: "secret", operationType: "update"}) { nodes { id } } }`)
	return map[string]any{
		"eventDefinitionIds": []string{definition}, "subscriberService": "billing", "deliveryEndpoint": h.sink.URL,
		"auth": map[string]any{"basic": map[string]any{"username": "u", "password": "p"}}, "allowOverlap": true,
	}
}

func (h *house) subscribe() string {
	return h.id("createEventSubscription.eventSubscription.id", createSubscription, "in", h.input())
}

func (h *house) subscriptions() {
	t := h.t
	id := h.subscribe()
	in := h.input()
	in["timeoutSeconds"] = 0
	h.refused("BAD_USER_INPUT", "input.timeoutSeconds", createSubscription, "in", in)
	in = h.input()
	in["auth"] = map[string]any{"basic": map[string]any{"username": "u", "password": "p"}, "jwt": map[string]any{"token": "t"}}
	h.refused("BAD_USER_INPUT", "input.auth", createSubscription, "in", in)
	const one = `query($id: UUID!) { eventSubscription(id: $id) { id health auth { __typename ... on BasicAuth { username } } stats { succeeded pending p50Ms } deliveries { nodes { id } } } }`
	if s := h.id("eventSubscription.auth.username", one, "id", id); s != "u" {
		t.Error(s)
	}
	h.missing(`query($id: UUID!) { eventSubscription(id: $id) { id } }`, "eventSubscription")
	if n := h.do("eventSubscriptions.totalCount", `{ eventSubscriptions(filter: {health: HEALTHY}) { totalCount edges { node { id } cursor } } }`); n != 1.0 {
		t.Errorf("%v subscriptions", n)
	}
	h.refused("BAD_USER_INPUT", "after", `{ eventSubscriptions(after: "x") { totalCount } }`)

	const update = `mutation($id: UUID!, $in: UpdateEventSubscriptionInput!) { updateEventSubscription(id: $id, input: $in) { maxPerSecond requestMethod timeoutSeconds conditions { secretPath } } }`
	set := map[string]any{"maxPerSecond": 5, "requestMethod": "PUT", "conditions": []any{map[string]any{"secretPath": "/**"}}}
	if n := h.do("updateEventSubscription.maxPerSecond", update, "id", id, "in", set); n != 5.0 {
		t.Error(n)
	}
	if n := h.do("updateEventSubscription.maxPerSecond", update, "id", id, "in", map[string]any{"timeoutSeconds": 7}); n != 5.0 {
		t.Errorf("what was left out became %v", n)
	}
	cleared := h.do("updateEventSubscription", update, "id", id, "in", map[string]any{"maxPerSecond": nil, "requestMethod": nil, "conditions": nil, "timeoutSeconds": nil})
	if got := fmt.Sprint(cleared); got != "map[conditions:[] maxPerSecond:<nil> requestMethod:POST timeoutSeconds:7]" {
		t.Errorf("null left %s", got)
	}
	literal := fmt.Sprintf(`mutation { updateEventSubscription(id: %q, input: {maxPerSecond: 3}) { maxPerSecond } }`, id)
	if n := h.do("updateEventSubscription.maxPerSecond", literal); n != 3.0 {
		t.Error(n)
	}
	if n := h.do("updateEventSubscription.maxPerSecond", strings.Replace(literal, "maxPerSecond: 3", "maxPerSecond: null", 1)); n != nil {
		t.Errorf("a literal null left %v", n)
	}
	h.refused("NOT_FOUND", "", update, "id", nobody, "in", set)

	const pause = `mutation($id: UUID!) { pauseEventSubscription(id: $id) { active health } }`
	if s := h.id("pauseEventSubscription.health", pause, "id", id); s != "PAUSED" {
		t.Error(s)
	}
	h.refused("NOT_FOUND", "", pause, "id", nobody)
	const resume = `mutation($id: UUID!) { resumeEventSubscription(id: $id, backlog: DISCARD) { active health } }`
	if s := h.id("resumeEventSubscription.health", resume, "id", id); s != "HEALTHY" {
		t.Error(s)
	}
	h.refused("NOT_FOUND", "", resume, "id", nobody)
	const rotate = `mutation($id: UUID!, $s: Int!) { rotateSigningSecret(id: $id, graceSeconds: $s) { signingSecret previousValidUntil eventSubscription { id } } }`
	if s := h.id("rotateSigningSecret.signingSecret", rotate, "id", id, "s", 60); !strings.HasPrefix(s, "whsec_") {
		t.Error(s)
	}
	h.refused("BAD_USER_INPUT", "graceSeconds", rotate, "id", id, "s", -1)
	const test = `mutation($id: UUID!) { testEventSubscription(id: $id) { status attempts { number statusCode error } event { payload sequence } eventSubscription { id } } }`
	if s := h.id("testEventSubscription.status", test, "id", id); s != "SUCCEEDED" {
		t.Error(s)
	}
	h.refused("NOT_FOUND", "", test, "id", nobody)
	const preview = `mutation($in: CreateEventSubscriptionInput!, $n: Int!) { previewEventSubscription(input: $in, sample: $n) { examined matched request { method url headers { name value } body } } }`
	if n := h.do("previewEventSubscription.examined", preview, "in", h.input(), "n", 10); n != 1.0 {
		t.Errorf("%v events were examined", n)
	}
	h.refused("BAD_USER_INPUT", "sample", preview, "in", h.input(), "n", 0)

	const remove = `mutation($id: UUID!) { deleteEventSubscription(id: $id) }`
	if s := h.id("deleteEventSubscription", remove, "id", id); s != id {
		t.Error(s)
	}
	h.refused("NOT_FOUND", "", remove, "id", id)
}

const publishSecret = `mutation { publishEvents(input: [{sourceService: "secret-manager", resourceType: "secret", operationType: "update", payload: [1, {b: "<x>"}]}]) { events { id } } }`

func (h *house) deliveries() {
	t := h.t
	id := h.subscribe()
	h.do("pauseEventSubscription.active", `mutation($id: UUID!) { pauseEventSubscription(id: $id) { active } }`, "id", id)
	event := h.id("publishEvents.events.0.id", publishSecret)
	list := `query($id: UUID!) { deliveries(filter: {eventSubscriptionId: $id}) { nodes { id status nextAttemptAt lastError discardReason event { id payload } eventSubscription { id project { slug } } } pageInfo { endCursor } } }`
	d := h.id("deliveries.nodes.0.id", list, "id", id)
	h.refused("BAD_USER_INPUT", "filter.since", `{ deliveries(filter: {since: "2026-01-02T00:00:00Z", until: "2026-01-01T00:00:00Z"}) { nodes { id } } }`)
	if s := h.id("delivery.status", `query($id: UUID!) { delivery(id: $id) { status attemptCount attempts { number } createdAt updatedAt } }`, "id", d); s != "HELD" {
		t.Error(s)
	}
	h.missing(`query($id: UUID!) { delivery(id: $id) { id } }`, "delivery")
	if s := h.id("eventSubscription.explain.outcome", `query($id: UUID!, $e: UUID!) { eventSubscription(id: $id) { explain(eventId: $e) { outcome detail delivery { id } } } }`, "id", id, "e", event); s != "PAUSED" {
		t.Error(s)
	}
	const discard = `mutation($id: UUID!) { discardDelivery(id: $id) { status discardReason } }`
	if s := h.id("discardDelivery.status", discard, "id", d); s != "DISCARDED" {
		t.Error(s)
	}
	h.refused("NOT_FOUND", "", discard, "id", nobody)
	const retry = `mutation($id: UUID!) { retryDelivery(id: $id) { status } }`
	if s := h.id("retryDelivery.status", retry, "id", d); s != "HELD" { // until it is resumed
		t.Error(s)
	}
	h.refused("NOT_FOUND", "", retry, "id", nobody)
	h.do("discardDelivery.status", discard, "id", d)
	const replay = `mutation($id: UUID!, $s: [DeliveryStatus!]) { replayDeliveries(input: {eventSubscriptionId: $id, since: "2026-01-01T00:00:00Z", status: $s}) { scheduled } }`
	if n := h.do("replayDeliveries.scheduled", replay, "id", id, "s", []string{"DISCARDED", "PENDING"}); n != 1.0 {
		t.Errorf("%v were scheduled", n)
	}
	h.refused("NOT_FOUND", "", replay, "id", nobody, "s", []string{"FAILED"})
}

func (h *house) access() {
	t := h.t
	if s := h.id("viewer.identity.name", `{ viewer { identity { name } permissions } }`); s != "admin" {
		t.Error(s)
	}
	project := h.id("createProject.id", `mutation { createProject(input: {slug: "second", name: "Second"}) { id slug name createdAt } }`)
	h.refused("CONFLICT", "input.slug", `mutation { createProject(input: {slug: "second", name: "Second"}) { id } }`)
	if s := h.id("project.id", `{ project(slug: "second") { id } }`); s != project {
		t.Error(s)
	}
	h.missing(`query($id: UUID!) { project(id: $id) { id } }`, "project")
	h.refused("BAD_USER_INPUT", "id", `{ project { id } }`)
	if n := h.do("projects.totalCount", `{ projects { totalCount nodes { slug } } }`); n != 2.0 {
		t.Errorf("%v projects", n)
	}
	h.refused("BAD_USER_INPUT", "first", `{ projects(first: 0) { totalCount } }`)

	identity := h.id("createIdentity.id", `mutation { createIdentity(name: "ci") { id name } }`)
	h.refused("BAD_USER_INPUT", "name", `mutation { createIdentity(name: "") { id } }`)
	if s := h.id("identity.name", `query($id: UUID!) { identity(id: $id) { name lastUsedAt roles { role { name } project { slug } } } }`, "id", identity); s != "ci" {
		t.Error(s)
	}
	h.missing(`query($id: UUID!) { identity(id: $id) { id } }`, "identity")
	if n := h.do("identities.totalCount", `{ identities { totalCount nodes { id } } }`); n != 2.0 {
		t.Errorf("%v identities", n)
	}
	h.refused("BAD_USER_INPUT", "after", `{ identities(after: "!") { totalCount } }`)
	role := h.id("createRole.id", `mutation($p: UUID) { createRole(input: {name: "reader", projectId: $p, rules: [{actions: [READ_EVENTS, READ_SUBSCRIPTIONS]}]}) { id name builtIn project { slug } rules { actions } } }`, "p", project)
	h.refused("CONFLICT", "input.name", `mutation($p: UUID) { createRole(input: {name: "reader", projectId: $p, rules: []}) { id } }`, "p", project)
	if s := h.id("updateRole.name", `mutation($id: UUID!, $p: UUID) { updateRole(id: $id, input: {name: "viewer", projectId: $p, rules: [{actions: [READ_EVENTS]}]}) { name } }`, "id", role, "p", project); s != "viewer" {
		t.Error(s)
	}
	h.refused("NOT_FOUND", "", `mutation($id: UUID!) { updateRole(id: $id, input: {name: "x", rules: []}) { id } }`, "id", nobody)
	h.do("roles.0.name", `query($p: UUID) { roles(projectId: $p) { name project { slug } } }`, "p", project)
	h.refused("NOT_FOUND", "", `query($p: UUID) { roles(projectId: $p) { name } }`, "p", nobody)
	const grant = `mutation($i: UUID!, $r: UUID!, $p: UUID) { grantRole(identityId: $i, roleId: $r, projectId: $p) { roles { role { name } project { slug } } } }`
	if s := h.id("grantRole.roles.0.project.slug", grant, "i", identity, "r", role, "p", project); s != "second" {
		t.Error(s)
	}
	h.refused("NOT_FOUND", "", grant, "i", nobody, "r", role, "p", project)

	const makeToken = `mutation($i: UUID!) { createAccessToken(identityId: $i, ttlSeconds: 60) { accessToken tokenId expiresAt } }`
	made := h.do("createAccessToken", makeToken, "i", identity).(map[string]any)
	h.refused("NOT_FOUND", "", makeToken, "i", nobody)
	token := made["accessToken"].(string)
	if a := h.ask(token, `query($p: UUID) { events(filter: {projectId: $p}) { nodes { id } } }`, "p", project); len(a.Errors) > 0 {
		t.Error(a.Errors)
	}
	for _, query := range []string{`{ events(filter: {}) { nodes { id } } }`, publishSecret} {
		if code, _ := h.ask(token, query).code(); code != "NOT_FOUND" && code != "FORBIDDEN" {
			t.Errorf("%s: %q", query, code)
		}
	}
	const revoke = `mutation($id: UUID!) { revokeAccessToken(tokenId: $id) }`
	h.do("revokeAccessToken", revoke, "id", made["tokenId"])
	h.refused("NOT_FOUND", "", revoke, "id", nobody)
	const secret = `mutation($i: UUID!) { createClientSecret(identityId: $i) { clientId clientSecret expiresAt } }`
	h.do("createClientSecret.clientSecret", secret, "i", identity)
	h.refused("NOT_FOUND", "", secret, "i", nobody)
	const revokeSecrets = `mutation($i: UUID!) { revokeClientSecrets(identityId: $i) }`
	if n := h.do("revokeClientSecrets", revokeSecrets, "i", identity); n != 1.0 {
		t.Error(n)
	}
	h.refused("NOT_FOUND", "", revokeSecrets, "i", nobody)
	const takeRole = `mutation($i: UUID!, $r: UUID!, $p: UUID) { revokeRole(identityId: $i, roleId: $r, projectId: $p) { roles { role { name } } } }`
	h.do("revokeRole", takeRole, "i", identity, "r", role, "p", project)
	h.refused("NOT_FOUND", "", takeRole, "i", identity, "r", nobody)
	for _, one := range []struct{ field, id string }{{"deleteRole", role}, {"deleteIdentity", identity}, {"deleteProject", project}} {
		field, id := one.field, one.id
		remove := `mutation($id: UUID!) { ` + field + `(id: $id) }`
		if s := h.id(field, remove, "id", id); s != id {
			t.Error(s)
		}
		h.refused("NOT_FOUND", "", remove, "id", id)
	}
	if s := h.id("auditLog.nodes.0.actor.name", `{ auditLog(first: 1) { nodes { action at target actor { name } } pageInfo { hasNextPage } } }`); s != "admin" {
		t.Error(s)
	}
	h.refused("BAD_USER_INPUT", "first", `{ auditLog(first: 0) { nodes { id } } }`)
	if code, _ := h.ask("nonsense", `{ viewer { permissions } }`).code(); code != "UNAUTHENTICATED" {
		t.Errorf("a wrong token: %q", code)
	}
}

func (h *house) streams() {
	t := h.t
	id := h.subscribe()
	events := h.send(h.admin, "text/event-stream", `subscription { projectEvents(filter: {register: [{event: "secret:*"}]}) { payload sequence definition { key } } }`)
	changes := h.send(h.admin, "text/event-stream", `subscription($id: UUID) { deliveryChanges(filter: {eventSubscriptionId: $id}) { id status event { id } eventSubscription { id } } }`, "id", id)
	event := h.id("publishEvents.events.0.id", publishSecret)
	if got := <-frames(events.Body); !strings.Contains(got, `"payload":[1,{"b":"<x>"}]`) && !strings.Contains(got, `[1, {b: "<x>"}]`) {
		t.Errorf("the stream said %s", got)
	}
	var seen []string
	for got := range frames(changes.Body) {
		if !strings.Contains(got, event) {
			t.Errorf("the stream said %s", got)
		}
		if seen = append(seen, got); strings.Contains(got, string(hark.Succeeded)) {
			break
		}
	}
	if len(slices.Compact(seen)) != len(seen) {
		t.Errorf("a change came twice: %v", seen)
	}
	for _, query := range []string{
		`subscription($id: UUID) { projectEvents(filter: {projectId: $id}) { id } }`,
		`subscription($id: UUID) { deliveryChanges(filter: {projectId: $id}) { id } }`,
	} {
		refused := h.send(h.admin, "text/event-stream", query, "id", nobody)
		if got := <-frames(refused.Body); !strings.Contains(got, "NOT_FOUND") {
			t.Errorf("%s: %s", query, got)
		}
		_ = refused.Body.Close()
	}
	_ = events.Body.Close()
	_ = changes.Body.Close()
}
