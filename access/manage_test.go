package access_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/page"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestRolesAreChecked(t *testing.T) {
	t.Parallel()
	a, admin := start(t, testkit.Store(t))
	actions := []hark.Action{hark.ReadEvents}
	many := make([]*hark.Rule, access.MaxRules+1)
	for i := range many {
		many[i] = &hark.Rule{Actions: actions}
	}
	for field, in := range map[string]access.RoleInput{
		"input.name":                {Name: " "},
		"input.rules":               {Name: "r", Rules: many},
		"input.rules.0.actions":     {Name: "r", Rules: []*hark.Rule{{}}},
		"input.rules.0.actions.0":   {Name: "r", Rules: []*hark.Rule{{Actions: []hark.Action{"FLY"}}}},
		"input.rules.1.events.0":    {Name: "r", Rules: []*hark.Rule{{Actions: actions}, {Actions: actions, Events: []string{"secret"}}}},
		"input.rules.0.environment": {Name: "r", Rules: []*hark.Rule{{Actions: actions, Environment: &hark.StringCondition{}}}},
		"input.rules.0.environment.in": {Name: "r", Rules: []*hark.Rule{
			{Actions: actions, Environment: &hark.StringCondition{In: []string{}}},
		}},
		"input.rules.0.secretPath.glob": {Name: "r", Rules: []*hark.Rule{
			{Actions: actions, SecretPath: &hark.StringCondition{Glob: new("/{a")}},
		}},
	} {
		_, err := a.CreateRole(admin, in)
		want(t, field, err, hark.BadUserInput, field)
	}
	if _, err := a.CreateRole(admin, role("r", nil, hark.ReadEvents)); err != nil {
		t.Fatal(err)
	}
	_, err := a.CreateRole(admin, role("r", nil, hark.ReadEvents))
	want(t, "taken", err, hark.Conflict, "input.name")
	builtIn := must[[]*ent.Role](t)(a.Roles(admin, nil))[0]
	_, err = a.UpdateRole(admin, builtIn.ID, role("root", nil, hark.ReadEvents))
	want(t, "built in", err, hark.Conflict, "")
	want(t, "built in", a.DeleteRole(admin, builtIn.ID), hark.Conflict, "")
	want(t, "no role", a.DeleteRole(admin, hark.NewID()), hark.NotFound, "")
}

// A manager of one project is lord there and nobody elsewhere.
func TestNobodyGivesMoreThanHeHas(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		a, admin := start(t, st)
		mine := must[*ent.Project](t)(a.CreateProject(admin, "mine", "Mine")).ID
		other := must[*ent.Project](t)(a.CreateProject(admin, "other", "Other")).ID
		in := role("lead", &mine, hark.ManageAccess, hark.ReadAccess)
		in.Rules = append(in.Rules, &hark.Rule{
			Actions: []hark.Action{hark.ReadEvents}, SecretPath: &hark.StringCondition{Glob: new("/app/**")},
		}, &hark.Rule{
			Actions: []hark.Action{hark.ReadEvents}, Inverted: true, SecretPath: &hark.StringCondition{Glob: new("/app/private/**")},
		})
		leadID, leadRole, token := member(t, a, admin, in)
		lead := as(t, a, token.Secret)
		global := must[[]*ent.Role](t)(a.Roles(admin, nil))[0].ID

		reads := func(paths ...string) access.RoleInput {
			in := access.RoleInput{Name: fmt.Sprint(paths), ProjectID: &mine}
			for _, p := range paths {
				in.Rules = append(in.Rules, &hark.Rule{
					Actions: []hark.Action{hark.ReadEvents}, SecretPath: &hark.StringCondition{Glob: new(p)},
				})
			}
			return in
		}
		for what, in := range map[string]access.RoleInput{
			"an action it lacks":      role("x", &mine, hark.PublishEvents),
			"a role for all projects": role("x", nil, hark.ReadAccess),
			"paths it lacks":          reads("/app/a/*", "/x"),
			"paths it is denied":      reads("/app/**"),
		} {
			_, err := a.CreateRole(lead, in)
			want(t, what, err, hark.Forbidden, "")
		}
		_, err := a.CreateRole(lead, role("x", &other, hark.ReadAccess))
		want(t, "a project it can't see", err, hark.NotFound, "")
		small := must[*ent.Role](t)(a.CreateRole(lead, reads("/app/a/**"))).ID

		_, err = a.GrantRole(lead, leadID, global, &mine)
		want(t, "the role admin in its project", err, hark.Forbidden, "")
		_, err = a.GrantRole(lead, leadID, small, nil)
		want(t, "a grant for all projects", err, hark.Forbidden, "")
		_, err = a.GrantRole(admin, leadID, small, &other)
		want(t, "a grant elsewhere", err, hark.BadUserInput, "projectId")
		_, err = a.CreateAccessToken(lead, leadID, nil)
		want(t, "a token", err, hark.Forbidden, "")
		_, err = a.UpdateRole(lead, leadRole, access.RoleInput{Name: "lead", ProjectID: &mine, Rules: in.Rules[:2]})
		want(t, "its own prohibition", err, hark.Forbidden, "")
		_, err = a.RevokeRole(lead, leadID, leadRole, &mine)
		want(t, "its own prohibition", err, hark.Forbidden, "")
		for range 2 { // the second changes nothing
			if _, err := a.GrantRole(lead, leadID, small, &mine); err != nil {
				t.Error(err)
			}
		}
		if _, err := a.RevokeRole(lead, leadID, small, &mine); err != nil {
			t.Error(err)
		}
		_, err = a.RevokeRole(lead, leadID, small, &mine)
		want(t, "a grant that is gone", err, hark.NotFound, "")

		// MANAGE_ACCESS in all projects alone opens nothing else either.
		_, _, token = member(t, a, admin, role("clerk", nil, hark.ManageAccess))
		_, err = a.CreateAccessToken(as(t, a, token.Secret), leadID, nil)
		want(t, "a token of one who may more", err, hark.Forbidden, "")
	})
}

func TestProjects(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		a, admin := start(t, st)
		for slug, name := range map[string]string{"": "x", "Up": "x", "a_b": "x", hark.NewID().String(): "x"} {
			_, err := a.CreateProject(admin, slug, name)
			want(t, slug, err, hark.BadUserInput, "input.slug")
		}
		project := must[*ent.Project](t)(a.CreateProject(admin, "shop", "Shop"))
		_, err := a.CreateProject(admin, "shop", "Shop")
		want(t, "taken", err, hark.Conflict, "input.slug")
		if _, last, err := st.Bounds(t.Context(), project.ID); err != nil || last != 0 {
			t.Errorf("no log: %v", err)
		}
		_, _, token := member(t, a, admin, role("reader", &project.ID, hark.ReadEvents))
		reader := as(t, a, token.Secret)

		for ref, id := range map[string]hark.ID{"": store.DefaultProjectID(), "shop": project.ID, project.ID.String(): project.ID} {
			if got := must[hark.ID](t)(a.ProjectID(reader, ref)); got != id {
				t.Errorf("%q is %v", ref, got)
			}
		}
		if _, _, err := a.Require(reader, hark.ReadEvents, project.ID); err != nil {
			t.Error(err)
		}
		_, _, err = a.Require(reader, hark.PublishEvents, project.ID)
		want(t, "an action it lacks", err, hark.Forbidden, "")
		_, _, err = a.Require(reader, hark.ReadEvents, store.DefaultProjectID())
		want(t, "a project it can't see", err, hark.NotFound, "")
		_, _, err = a.Require(admin, hark.ReadEvents, hark.NewID())
		want(t, "no project", err, hark.NotFound, "")
		_, _, err = a.Require(t.Context(), hark.ReadEvents, project.ID)
		want(t, "no caller", err, hark.Unauthenticated, "")
		want(t, "unknown field", a.CheckField(admin, "Query.nothing"), hark.Forbidden, "")
		want(t, "field", a.CheckField(reader, "Mutation.createProject"), hark.Forbidden, "")
		if err := a.CheckField(reader, "Query.events"); err != nil {
			t.Error(err)
		}
		list := must[page.List[*ent.Project]](t)(a.ListProjects(reader, nil, nil))
		if n := must[int](t)(list.Count(t.Context())); n != 1 || len(list.Items) != 1 || list.Items[0].ID != project.ID {
			t.Errorf("%d, %v", n, list.Items)
		}
		_, err = a.Project(reader, nil, new("default"))
		want(t, "invisible", err, hark.NotFound, "")

		want(t, "default", a.DeleteProject(admin, store.DefaultProjectID()), hark.Conflict, "")
		want(t, "not its to delete", a.DeleteProject(reader, project.ID), hark.Forbidden, "")
		sweep(t, a, admin, st, project.ID)
		_, _, err = a.Require(admin, hark.ReadEvents, project.ID)
		want(t, "deleted", err, hark.NotFound, "")
		if roles := must[[]*ent.Role](t)(a.Roles(admin, nil)); len(roles) != 4 { // the built-in ones
			t.Errorf("%v", roles)
		}
	})
}

// sweep deletes a project that has an event, and sees Run clear the event away.
func sweep(t *testing.T, a *access.Access, admin context.Context, st *store.Store, project hark.ID) {
	t.Helper()
	for _, p := range []hark.ID{project, store.DefaultProjectID()} {
		err := st.Ent().Event.Create().SetID(hark.NewID()).SetProjectID(p).SetSequence(1).SetDefinitionID(hark.NewID()).
			SetSourceService("s").SetResourceType("r").SetOperationType("o").SetEnvironment("").SetPath("").SetPayload([]byte("1")).
			SetActor("").SetOccurredAt(1).SetPublishedAt(1).SetIdempotencyKey("").Exec(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = st.Ent().Delivery.Create().SetID(hark.NewID()).SetProjectID(p).SetSubscriptionID(hark.NewID()).SetEventID(hark.NewID()).
			SetSequence(1).SetStatus(hark.Succeeded).SetCreatedAt(1).SetUpdatedAt(1).Exec(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := a.DeleteProject(admin, project); err != nil {
		t.Fatal(err)
	}
	if err := a.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	events, err := st.Ent().Event.Query().All(t.Context())
	if err != nil || len(events) != 1 || events[0].ProjectID != store.DefaultProjectID() {
		t.Errorf("%v, %v", events, err)
	}
	if n, err := st.Ent().Delivery.Query().Count(t.Context()); n != 1 || err != nil {
		t.Errorf("%d deliveries, %v", n, err)
	}
}

func TestIdentitiesByPage(t *testing.T) {
	t.Parallel()
	a, admin := start(t, testkit.Store(t))
	for i := range 5 {
		if _, err := a.CreateIdentity(admin, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	first, after := 4, (*string)(nil)
	for more := true; more; {
		list := must[page.List[*ent.Identity]](t)(a.Identities(admin, &first, after))
		for _, row := range list.Items {
			names = append(names, row.Name)
			after = new(page.Cursor(row.ID))
		}
		more = list.More
		if n := must[int](t)(list.Count(t.Context())); n != 6 {
			t.Errorf("%d in all", n)
		}
	}
	if !slices.Equal(names, []string{"4", "3", "2", "1", "0", "admin"}) {
		t.Error(names)
	}
	_, err := a.CreateIdentity(admin, "a\nb")
	want(t, "line break", err, hark.BadUserInput, "name")
	_, err = a.Identity(admin, hark.NewID())
	want(t, "nobody", err, hark.NotFound, "")
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	a, admin := start(t, testkit.Store(t))
	project := must[*ent.Project](t)(a.CreateProject(admin, "shop", "Shop")).ID
	_, _, token := member(t, a, admin, role("auditor", &project, hark.ReadAuditLog))
	auditor := as(t, a, token.Secret)
	actions := func(ctx context.Context, project *hark.ID) (out []string) {
		for _, e := range must[page.List[*ent.AuditEntry]](t)(a.AuditLog(ctx, project, nil, nil)).Items {
			out = append(out, e.Action)
		}
		return out
	}
	of := []string{"grantRole", "createRole", "createProject"}
	if got := actions(auditor, nil); !slices.Equal(got, of) {
		t.Error(got)
	}
	if got := actions(auditor, &project); !slices.Equal(got, of) {
		t.Error(got)
	}
	all := []string{"createAccessToken", "grantRole", "createRole", "createIdentity", "createProject", "createAccessToken", "grantRole", "createIdentity"}
	if got := actions(admin, nil); !slices.Equal(got, all) {
		t.Error(got)
	}
}
