package promises

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark/internal/testkit"
)

// planted is what is in a project, and tokens of callers who have no part in it.
type planted struct {
	ids                 map[string]string
	powerless, stranger string
}

// plantProject makes one of everything in the default project.
func plantProject(t *testing.T, n *testkit.Node) *planted {
	t.Helper()
	admin := n.Admin()
	s := newSubscriber(t, nil)
	p := &planted{ids: make(map[string]string)}
	p.ids["definition"] = definition(t, admin)
	p.ids["subscription"], _ = create(t, admin, input(t, admin, s.url))
	p.ids["event"] = mustPublish(t, admin, 1)[0].ID
	type found struct {
		Project    struct{ ID string }
		Deliveries struct{ Nodes []struct{ ID string } }
		Viewer     struct{ Identity struct{ ID string } }
	}
	f := testkit.MustCall[found](t, admin, `{ project(slug: "default") { id } deliveries { nodes { id } } viewer { identity { id } } }`, nil)
	p.ids["project"], p.ids["delivery"], p.ids["admin"] = f.Project.ID, f.Deliveries.Nodes[0].ID, f.Viewer.Identity.ID

	type made struct {
		Powerless, Stranger, Insider struct{ ID string }
		CreateProject                struct{ ID string }
	}
	m := testkit.MustCall[made](t, admin, `mutation { powerless: createIdentity(name: "powerless") { id } stranger: createIdentity(name: "stranger") { id }
		insider: createIdentity(name: "insider") { id }
		createProject(input: {slug: "elsewhere", name: "Elsewhere"}) { id } }`, nil)
	type roles struct{ Here, There struct{ ID string } }
	const all = `rules: [{actions: [READ_EVENTS SUBSCRIBE_EVENTS PUBLISH_EVENTS READ_EVENT_DEFINITIONS MANAGE_EVENT_DEFINITIONS
		READ_SUBSCRIPTIONS MANAGE_SUBSCRIPTIONS MANAGE_DELIVERIES READ_ACCESS MANAGE_ACCESS READ_AUDIT_LOG]}]`
	r := testkit.MustCall[roles](t, admin, fmt.Sprintf(`mutation { here: createRole(input: {name: "here", projectId: %q, %s}) { id }
		there: createRole(input: {name: "there", projectId: %q, %s}) { id } }`, p.ids["project"], all, m.CreateProject.ID, all), nil)
	p.ids["role"] = r.Here.ID
	_ = testkit.MustCall[any](t, admin, fmt.Sprintf(`mutation { grantRole(identityId: %q, roleId: %q, projectId: %q) { id } }`, m.Insider.ID, r.Here.ID, p.ids["project"]), nil)
	p.ids["insider"], p.ids["endpoint"] = m.Insider.ID, s.url
	type tokens struct {
		Powerless, Stranger, Other struct{ AccessToken, TokenID string }
	}
	k := testkit.MustCall[tokens](t, admin, fmt.Sprintf(`mutation { grantRole(identityId: %[2]q, roleId: %[3]q, projectId: %[4]q) { id }
		powerless: createAccessToken(identityId: %[1]q) { accessToken tokenId } stranger: createAccessToken(identityId: %[2]q) { accessToken tokenId }
		other: createAccessToken(identityId: %[1]q) { accessToken tokenId } }`, m.Powerless.ID, m.Stranger.ID, r.There.ID, m.CreateProject.ID), nil)
	p.ids["token"] = k.Other.TokenID
	p.powerless, p.stranger = k.Powerless.AccessToken, k.Stranger.AccessToken
	waitForDeliveries(t, admin, s, 1) // or the worker would write while rows are counted
	return p
}

// arguments are those of a root field, about what is planted; without those that
// narrow it, if narrow is false.
func (p *planted) arguments(schema *ast.Schema, f *ast.FieldDefinition, narrow bool) string {
	var list []string
	for _, a := range f.Arguments {
		if a.Type.NonNull || narrow && (a.Name == "projectId" || a.Name == "filter") || a.Name == "first" {
			list = append(list, a.Name+": "+p.value(schema, a.Type, f.Name, a.Name))
		}
	}
	if f.Name == "project" {
		list = []string{`slug: "default"`}
	}
	if len(list) == 0 {
		return ""
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// value is a literal of type t that has to be valid for the argument or input
// field name of a root field.
func (p *planted) value(schema *ast.Schema, t *ast.Type, field, name string) string {
	if t.Elem != nil {
		return "[" + p.value(schema, t.Elem, field, name) + "]"
	}
	def := schema.Types[t.NamedType]
	switch {
	case def.Kind == ast.Enum:
		return def.EnumValues[0].Name
	case def.Kind == ast.InputObject:
		var list []string
		for _, f := range def.Fields {
			oneOf := def.Directives.ForName("oneOf") != nil && f.Name == "jwt"
			if f.Type.NonNull && f.DefaultValue == nil || f.Name == "projectId" || oneOf {
				list = append(list, f.Name+": "+p.value(schema, f.Type, field, f.Name))
			}
		}
		return "{" + strings.Join(list, ", ") + "}"
	}
	switch t.NamedType {
	case "UUID":
		return fmt.Sprintf("%q", p.ids[p.thing(field, name)])
	case "Int", "Long", "Float":
		if name == "first" {
			return "5" // all that is planted, within the limit of complexity
		}
		return "1"
	case "Boolean":
		return "true"
	case "Time":
		return `"2026-01-01T00:00:00Z"`
	}
	return `"x"`
}

// thing says what an id of a root field is about.
func (p *planted) thing(field, name string) string {
	switch name {
	case "projectId":
		return "project"
	case "identityId":
		return "admin"
	case "roleId":
		return "role"
	case "tokenId":
		return "token"
	case "eventDefinitionIds":
		return "definition"
	case "eventSubscriptionId":
		return "subscription"
	}
	for _, thing := range []string{"Definition", "Subscription", "Secret", "Delivery", "Project", "Identity", "Role", "event", "identity", "delivery"} {
		if strings.Contains(field, thing) {
			return strings.NewReplacer("secret", "subscription", "identity", "admin").Replace(strings.ToLower(thing))
		}
	}
	return ""
}

// selection asks for all that a type shows without arguments, so deep.
func selection(schema *ast.Schema, t *ast.Type, depth int) string {
	def := schema.Types[t.Name()]
	if def.Kind == ast.Scalar || def.Kind == ast.Enum {
		return ""
	}
	list := []string{"__typename"}
	for _, f := range def.Fields {
		leaf := schema.Types[f.Type.Name()]
		required := false
		for _, a := range f.Arguments {
			required = required || a.Type.NonNull && a.DefaultValue == nil
		}
		simple := leaf.Kind == ast.Scalar || leaf.Kind == ast.Enum
		if required || strings.HasPrefix(f.Name, "__") || f.Name == "edges" || !simple && depth == 0 { // nodes are what edges have
			continue
		}
		list = append(list, f.Name+selection(schema, f.Type, depth-1))
	}
	return " { " + strings.Join(list, " ") + " }"
}
