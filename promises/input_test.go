package promises

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

const (
	nowhere = "01890a5d-ac96-774b-bcce-b302099a8057" // the id of nothing

	publishMutation    = `mutation($input: [PublishEventInput!]!) { publishEvents(input: $input) { duplicates } }`
	definitionMutation = `mutation($input: EventDefinitionInput!) { createEventDefinition(input: $input) { id } }`
	roleMutation       = `mutation($input: RoleInput!) { createRole(input: $input) { id } }`
)

// with is v with other fields; nil leaves one out.
func with(v testkit.Vars, more testkit.Vars) testkit.Vars {
	v = maps.Clone(v)
	maps.Copy(v, more)
	maps.DeleteFunc(v, func(_ string, value any) bool { return value == nil })
	return v
}

// A refusal is an operation that has to be refused.
type refusal struct {
	name, query string
	vars        testkit.Vars
	code, field string
	says        string // what the message has to name
}

// TestBadInput sends operations that have to be refused: with a code and a
// field, in words for people, and nothing stored.
func TestBadInput(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	for _, r := range slices.Concat(badEvents(), badDefinitions(), badSubscriptions(t, n.Admin()), badAccess(), badLists()) {
		t.Run(r.name, func(t *testing.T) {
			before := rows(t, n)
			var data json.RawMessage
			err := n.Admin().Call(t.Context(), r.query, r.vars, &data)
			e, ok := errors.AsType[*testkit.GraphQLError](err)
			if !ok {
				t.Fatalf("not refused: %s %v", data, err)
			}
			if e.Extensions.Code != r.code || e.Extensions.Field != r.field || !strings.Contains(e.Message, r.says) {
				t.Errorf("got  %q %q %q\nwant %q %q %q", e.Extensions.Code, e.Extensions.Field, e.Message, r.code, r.field, r.says)
			}
			if internal(e.Message) || len(e.Message) > 600 {
				t.Errorf("no message for people: %.600s", e.Message)
			}
			unchanged(t, n, before)
		})
	}
}

// internal tells whether a message shows how hark is made.
func internal(message string) bool {
	return slices.ContainsFunc([]string{"json: ", "sql", " ent:", "*hark", "strconv", "runtime error", "cannot unmarshal", "map[", "gqlgen", "goroutine"}, func(s string) bool {
		return strings.Contains(message, s)
	})
}

func badEvents() []refusal {
	good := update([]string{"x"})
	one := func(name string, more testkit.Vars, code, field, says string) refusal {
		return refusal{name, publishMutation, testkit.Vars{"input": []testkit.Vars{good, with(good, more)}}, code, field, says}
	}
	many := make([]testkit.Vars, 1001)
	for i := range many {
		many[i] = testkit.Vars{"sourceService": "a", "resourceType": "b", "operationType": "c", "payload": 1}
	}
	return []refusal{
		one("event of an unknown project", testkit.Vars{"projectId": nowhere}, "NOT_FOUND", "", "project"),
		one("project id that is none", testkit.Vars{"projectId": "default"}, "BAD_USER_INPUT", "input.1.projectId", ""),
		one("unregistered definition", testkit.Vars{"sourceService": "shop", "resourceType": "order"}, "BAD_USER_INPUT", "input.1", "shop/order:update"),
		one("payload that is too large", testkit.Vars{"payload": strings.Repeat("x", 300<<10)}, "BAD_USER_INPUT", "input.1.payload", "262144"),
		one("payload null", testkit.Vars{"payload": json.RawMessage("null")}, "BAD_USER_INPUT", "input.1.payload", "null"),
		one("no payload", testkit.Vars{"payload": nil}, "BAD_USER_INPUT", "input.1.payload", "required"),
		one("path without slash", testkit.Vars{"path": "app"}, "BAD_USER_INPUT", "input.1.path", "/"),
		one("long path", testkit.Vars{"path": "/" + strings.Repeat("x", 2000)}, "BAD_USER_INPUT", "input.1.path", "1024"),
		one("path with a line break", testkit.Vars{"path": "/a\nb"}, "BAD_USER_INPUT", "input.1.path", "control"),
		one("huge idempotency key", testkit.Vars{"idempotencyKey": strings.Repeat("k", 10000)}, "BAD_USER_INPUT", "input.1.idempotencyKey", "255"),
		one("huge environment", testkit.Vars{"environment": strings.Repeat("k", 10000)}, "BAD_USER_INPUT", "input.1.environment", "255"),
		one("huge actor", testkit.Vars{"actor": strings.Repeat("k", 10000)}, "BAD_USER_INPUT", "input.1.actor", "255"),
		one("time that is none", testkit.Vars{"occurredAt": "yesterday"}, "BAD_USER_INPUT", "input.1.occurredAt", ""),
		one("unknown field", testkit.Vars{"colour": "red"}, "BAD_USER_INPUT", "input.1.colour", ""),
		one("number for a name", testkit.Vars{"actor": 7}, "BAD_USER_INPUT", "input.1.actor", "String"),
		{"1,001 events", publishMutation, testkit.Vars{"input": many}, "BAD_USER_INPUT", "input", "1000"},
		{"no events", publishMutation, testkit.Vars{"input": []any{}}, "BAD_USER_INPUT", "input", ""},
		{"no variable", publishMutation, nil, "BAD_USER_INPUT", "input", "required"},
	}
}

func badDefinitions() []refusal {
	good := testkit.Vars{"sourceService": "shop", "resourceType": "order", "operationType": "paid"}
	one := func(name string, more testkit.Vars, code, field, says string) refusal {
		return refusal{name, definitionMutation, testkit.Vars{"input": with(good, more)}, code, field, says}
	}
	schema := func(s string) testkit.Vars { return testkit.Vars{"payloadSchema": json.RawMessage(s)} }
	return []refusal{
		one("definition twice", testkit.Vars{"sourceService": "secret-manager", "resourceType": "secret", "operationType": "update"}, "CONFLICT", "input", "secret-manager/secret:update"),
		one("empty source service", testkit.Vars{"sourceService": ""}, "BAD_USER_INPUT", "input.sourceService", ""),
		one("long resource type", testkit.Vars{"resourceType": strings.Repeat("x", 10000)}, "BAD_USER_INPUT", "input.resourceType", "64"),
		one("operation type with a colon", testkit.Vars{"operationType": "a:b"}, "BAD_USER_INPUT", "input.operationType", ""),
		one("long description", testkit.Vars{"description": strings.Repeat("x", 10000)}, "BAD_USER_INPUT", "input.description", "4096"),
		one("schema with an unknown type", schema(`{"type":"nonsense"}`), "BAD_USER_INPUT", "input.payloadSchema", "compile"),
		one("schema with a bad pattern", schema(`{"pattern":"("}`), "BAD_USER_INPUT", "input.payloadSchema", "compile"),
		one("schema that is a number", schema(`7`), "BAD_USER_INPUT", "input.payloadSchema", "compile"),
		one("schema that reads a file", schema(`{"$ref":"file:///etc/passwd"}`), "BAD_USER_INPUT", "input.payloadSchema", "outside"),
		one("schema that calls a host", schema(`{"$ref":"http://127.0.0.1:1/x"}`), "BAD_USER_INPUT", "input.payloadSchema", "outside"),
		one("large schema", schema(`{"description":"`+strings.Repeat("x", 70<<10)+`"}`), "BAD_USER_INPUT", "input.payloadSchema", "65536"),
		{"update of no definition", `mutation($input: EventDefinitionInput!) { updateEventDefinition(id: "` + nowhere + `", input: $input) { id } }`, testkit.Vars{"input": good}, "NOT_FOUND", "", ""},
		{"deletion of no definition", `mutation { deleteEventDefinition(id: "` + nowhere + `") }`, nil, "NOT_FOUND", "", ""},
	}
}

func badAccess() []refusal {
	role := func(name string, input testkit.Vars, code, field string) refusal {
		return refusal{name, roleMutation, testkit.Vars{"input": input}, code, field, ""}
	}
	rule := func(r testkit.Vars) testkit.Vars { return testkit.Vars{"name": "r", "rules": []any{r}} }
	long := strings.Repeat("x", 10000)
	return []refusal{
		{"identity without a name", `mutation { createIdentity(name: "") { id } }`, nil, "BAD_USER_INPUT", "name", "255"},
		{"identity with a long name", `mutation($name: String!) { createIdentity(name: $name) { id } }`, testkit.Vars{"name": long}, "BAD_USER_INPUT", "name", "255"},
		{"project with an empty slug", `mutation { createProject(input: {slug: "", name: "x"}) { id } }`, nil, "BAD_USER_INPUT", "input.slug", ""},
		{"project with a bad slug", `mutation { createProject(input: {slug: "A b", name: "x"}) { id } }`, nil, "BAD_USER_INPUT", "input.slug", ""},
		{"project with a long name", `mutation($input: ProjectInput!) { createProject(input: $input) { id } }`, testkit.Vars{"input": testkit.Vars{"slug": "x", "name": long}}, "BAD_USER_INPUT", "input.name", "255"},
		{"project twice", `mutation { createProject(input: {slug: "default", name: "x"}) { id } }`, nil, "CONFLICT", "input.slug", "slug"},
		{"deletion of no project", `mutation { deleteProject(id: "` + nowhere + `") }`, nil, "NOT_FOUND", "", ""},
		role("role without a name", testkit.Vars{"name": " ", "rules": []any{}}, "BAD_USER_INPUT", "input.name"),
		role("role twice", testkit.Vars{"name": "admin", "rules": []any{}}, "CONFLICT", "input.name"),
		role("role in no project", testkit.Vars{"projectId": nowhere, "name": "r", "rules": []any{}}, "NOT_FOUND", ""),
		role("rule with an unknown action", rule(testkit.Vars{"actions": []any{"FLY"}}), "BAD_USER_INPUT", "input.rules.0.actions.0"),
		role("rule with a bad glob", rule(testkit.Vars{"actions": []any{"READ_EVENTS"}, "secretPath": testkit.Vars{"glob": "/a["}}), "BAD_USER_INPUT", "input.rules.0.secretPath.glob"),
		role("rule with a bad event", rule(testkit.Vars{"actions": []any{"READ_EVENTS"}, "events": []any{"secret"}}), "BAD_USER_INPUT", "input.rules.0.events.0"),
		{"grant of no role", `mutation { grantRole(identityId: "` + nowhere + `", roleId: "` + nowhere + `") { id } }`, nil, "NOT_FOUND", "", ""},
		{"token of no identity", `mutation { createAccessToken(identityId: "` + nowhere + `") { tokenId } }`, nil, "NOT_FOUND", "", ""},
		{"token that ends before it begins", `mutation { createAccessToken(identityId: "` + nowhere + `", ttlSeconds: -1) { tokenId } }`, nil, "BAD_USER_INPUT", "ttlSeconds", ""},
		{"client secret of no identity", `mutation { createClientSecret(identityId: "` + nowhere + `") { clientId } }`, nil, "NOT_FOUND", "", ""},
		{"revocation of no token", `mutation { revokeAccessToken(tokenId: "` + nowhere + `") }`, nil, "NOT_FOUND", "", ""},
		{"deletion of no identity", `mutation { deleteIdentity(id: "` + nowhere + `") }`, nil, "NOT_FOUND", "", ""},
	}
}

func badLists() []refusal {
	deep := strings.Repeat("{ nodes { deliveries(first: 500) ", 40) + "{ nodes { id } }" + strings.Repeat(" } }", 40)
	return []refusal{
		{"cursor that is none", `{ events(filter: {}, after: "nonsense") { nodes { id } } }`, nil, "BAD_USER_INPUT", "after", "cursor"},
		{"cursor of another list", `query($after: String) { eventDefinitions(after: $after) { nodes { id } } }`, testkit.Vars{"after": "AQAAAAE"}, "BAD_USER_INPUT", "after", "cursor"},
		{"first 0", `{ events(filter: {}, first: 0) { nodes { id } } }`, nil, "BAD_USER_INPUT", "first", "500"},
		{"first 10,000", `{ deliveries(first: 10000) { nodes { id } } }`, nil, "BAD_USER_INPUT", "first", "500"},
		{"first below 0", `query($n: Int) { projects(first: $n) { nodes { id } } }`, testkit.Vars{"n": -1}, "BAD_USER_INPUT", "first", "500"},
		{"first beyond 32 bits", `query($n: Int) { projects(first: $n) { nodes { id } } }`, testkit.Vars{"n": 1 << 40}, "BAD_USER_INPUT", "first", "Int"},
		{"id that is none", `{ event(id: "7") { id } }`, nil, "BAD_USER_INPUT", "id", "UUID"},
		{"id in a variable that is none", `query($id: UUID!) { delivery(id: $id) { id } }`, testkit.Vars{"id": "{}"}, "BAD_USER_INPUT", "id", "UUID"},
		{"events of no project", `{ events(filter: {projectId: "` + nowhere + `"}) { nodes { id } } }`, nil, "NOT_FOUND", "", "project"},
		{"events with a bad glob", `{ events(filter: {register: [{event: "secret:update", conditions: {secretPath: "/a["}}]}) { nodes { id } } }`, nil, "BAD_USER_INPUT", "filter.register.0.conditions.secretPath", ""},
		{"unknown field", `{ viewer { colour } }`, nil, "GRAPHQL_VALIDATION_FAILED", "", "colour"},
		{"unknown value of an enum", `{ deliveries(filter: {status: [LOST]}) { nodes { id } } }`, nil, "GRAPHQL_VALIDATION_FAILED", "", "LOST"},
		{"no GraphQL", `{ viewer `, nil, "GRAPHQL_PARSE_FAILED", "", ""},
		{"more than 2,000 tokens", `{ ` + strings.Repeat("__typename ", 2001) + `}`, nil, "GRAPHQL_PARSE_FAILED", "", "2000"},
		{"deep literal", `mutation { publishEvents(input: [{sourceService: "secret-manager", resourceType: "secret", operationType: "update", payload: ` +
			strings.Repeat("[", 3000) + strings.Repeat("]", 3000) + `}]) { duplicates } }`, nil, "GRAPHQL_PARSE_FAILED", "", "2000"},
		{"costly query", `{ event(id: "` + nowhere + `") { deliveries(first: 500) { nodes { event { deliveries(first: 500) { nodes { event { id } } } } } } } }`, nil, "COMPLEXITY_LIMIT_EXCEEDED", "", ""},
		{"deep query", `{ eventSubscriptions ` + strings.ReplaceAll(deep, "{ nodes { deliveries(first: 500) { nodes {", "{ nodes { deliveries(first: 500) { nodes { eventSubscription {") + ` }`, nil, "GRAPHQL_PARSE_FAILED", "", ""},
		{"no operation", `fragment F on Query { viewer { __typename } }`, nil, "GRAPHQL_VALIDATION_FAILED", "", ""},
	}
}
