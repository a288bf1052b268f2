package promises

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/internal/testkit"
)

// roots gives the root types of the schema.
func roots() (schema *ast.Schema, types []*ast.Definition) {
	schema = graph.NewExecutableSchema(graph.Config{}).Schema()
	return schema, []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription}
}

// TestEveryRootFieldHasARule walks the schema: a root field without a rule is
// denied to all, and a rule without a field is a rule for nothing.
func TestEveryRootFieldHasARule(t *testing.T) {
	t.Parallel()
	rules := access.Fields()
	_, types := roots()
	for _, root := range types {
		for _, f := range root.Fields {
			if _, ok := rules[root.Name+"."+f.Name]; !ok {
				t.Errorf("%s.%s has no rule in access.Fields", root.Name, f.Name)
			}
			delete(rules, root.Name+"."+f.Name)
		}
	}
	for name := range rules {
		if !strings.Contains(name, ".__") {
			t.Errorf("access.Fields has a rule for %s, which is no root field", name)
		}
	}
}

// TestRootFieldsKeepStrangersOut calls every root field about what is in one
// project: as nobody, as an identity without a role, and as one that may do
// everything, but in another project.
func TestRootFieldsKeepStrangersOut(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	own := plantProject(t, n)
	callers := map[string]testkit.Client{
		"nobody":    {URL: n.URL()},
		"powerless": {URL: n.URL(), Token: own.powerless},
		"stranger":  {URL: n.URL(), Token: own.stranger},
	}
	schema, types := roots()
	for _, root := range types {
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			operations := own.operations(schema, root, f)
			for caller, c := range callers {
				t.Run(caller+" "+f.Name, func(t *testing.T) {
					before := rows(t, n)
					for _, o := range operations {
						data, err := call(t.Context(), c, o, root == schema.Subscription)
						own.check(t, caller, f.Name, o, data, err)
					}
					unchanged(t, n, before)
				})
			}
		}
	}
}

// operations ask for a root field about the planted project, all that hangs on
// it. A query is asked for too without what narrows it, and each time for
// little: where a part of much is refused, all of it is.
func (p *planted) operations(schema *ast.Schema, root *ast.Definition, f *ast.FieldDefinition) (list []string) {
	add := func(narrow bool, depth int) {
		o := fmt.Sprintf("%s { %s%s%s }", strings.ToLower(root.Name), f.Name, p.arguments(schema, f, narrow), selection(schema, f.Type, depth))
		if !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	add(true, 4)
	if root == schema.Query {
		for _, depth := range []int{0, 1, 4} { // a thing alone, those of a list, and all
			add(true, depth)
			add(false, depth)
		}
	}
	return list
}

// check tells whether an answer keeps a caller out.
func (p *planted) check(t *testing.T, caller, field, operation string, data json.RawMessage, err error) {
	t.Helper()
	e, refused := errors.AsType[*testkit.GraphQLError](err)
	switch {
	case err != nil && !refused:
		t.Fatal(err)
	case caller == "nobody":
		if !refused || e.Extensions.Code != "UNAUTHENTICATED" {
			t.Errorf("%s\n%s %v", operation, data, err)
		}
	case refused:
		if !slices.Contains([]string{"FORBIDDEN", "NOT_FOUND"}, e.Extensions.Code) {
			t.Errorf("%s\n%v", operation, err)
		}
	}
	for name, id := range p.ids { // a refusal of a part must not hide what the rest shows
		if strings.Contains(string(data), id) && !(caller == "stranger" && slices.Contains(global()[field], name)) {
			t.Errorf("%s\nshows the %s: %s", operation, name, data)
		}
	}
}

// global is what fields show to everybody who may read it in any project: what
// belongs to none. In what hangs on it, nothing of another project is shown.
func global() map[string][]string {
	definitions, identities := []string{"definition"}, []string{"admin", "insider"}
	return map[string][]string{
		"eventDefinition": definitions, "eventDefinitions": definitions,
		"identity": identities, "identities": identities, "auditLog": identities, // who did something in the caller's project
	}
}

// call runs an operation and gives the data or the error of its first answer.
func call(ctx context.Context, c testkit.Client, operation string, stream bool) (data json.RawMessage, err error) {
	if !stream {
		err = c.Call(ctx, operation, nil, &data)
		return data, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(map[string]string{"query": operation})
	if err != nil {
		return nil, err
	}
	resp, err := c.Open(ctx, "/graphql", string(body), "Accept", "text/event-stream")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		text := strings.TrimPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(text, "{") {
			continue
		}
		var a struct {
			Data   json.RawMessage
			Errors []*testkit.GraphQLError
		}
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			return nil, err
		}
		if len(a.Errors) > 0 {
			return nil, a.Errors[0]
		}
		return a.Data, nil
	}
	return nil, errors.New("the stream says nothing")
}
