package operation

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/hark-events/hark"
)

const testSchema = `
scalar JSON
scalar UUID
scalar Time
enum Color { RED GREEN }
input In { s: String!, j: JSON, n: Int, list: [In!], b: Boolean, c: Color, d: Int! = 3, ids: [UUID!], at: Time }
type Query { a(in: In, list: [Int], j: JSON, id: UUID): Int }
`

func variables(t testing.TB, query, raw string) (map[string]any, error) {
	t.Helper()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: testSchema})
	doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
	if errs != nil {
		t.Fatal(errs)
	}
	return decodeVariables(schema, doc.Operations[0], json.RawMessage(raw))
}

func TestVariables(t *testing.T) {
	t.Parallel()
	const query = `query($in: In, $list: [Int], $j: JSON) { a(in: $in, list: $list, j: $j) }`
	for name, c := range map[string]struct {
		raw  string
		want map[string]any
	}{
		"none":      {``, map[string]any{}},
		"null":      {` null `, map[string]any{}},
		"undefined": {`{"other":{"a":["]",{}]}}`, map[string]any{}},
		"payload keeps its bytes": {
			`{"in": {"j" : { "b":1.50,"a":"\u003c}" } , "s":"x"}}`,
			map[string]any{"in": map[string]any{"s": "x", "j": json.RawMessage(`{ "b":1.50,"a":"\u003c}" }`)}},
		},
		"payload of null is null": {`{"j":null}`, map[string]any{"j": nil}},
		"escapes": {
			`{"in":{"\u0073":"\"\\\u00e9\n]"}}`,
			map[string]any{"in": map[string]any{"s": "\"\\é\n]"}},
		},
		"kinds": {
			"{\"in\":\n{\"s\":\"\",\"n\":-7,\t\"b\":true,\"c\":\"RED\",\"d\":4}}",
			map[string]any{"in": map[string]any{"s": "", "n": json.Number("-7"), "b": true, "c": "RED", "d": json.Number("4")}},
		},
		"nested lists": {
			`{"in":{"s":"a","list":[{"s":"b","list":[]},{"s":"c","list":{"s":"d"}}]},"list":[ 1 , null,2]}`,
			map[string]any{
				"in": map[string]any{"s": "a", "list": []any{
					map[string]any{"s": "b", "list": []any{}},
					map[string]any{"s": "c", "list": []any{map[string]any{"s": "d"}}},
				}},
				"list": []any{json.Number("1"), nil, json.Number("2")},
			},
		},
		"the last of two counts": {`{"list":[1],"list":[2]}`, map[string]any{"list": []any{json.Number("2")}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := variables(t, query, c.raw)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v, %v; want %#v", got, err, c.want)
			}
		})
	}
}

const aUUID = "a UUID is 32 hexadecimal digits in five groups, such as 01890a5d-ac96-774b-bcce-b302099a8057"

func TestWrongVariables(t *testing.T) {
	t.Parallel()
	const query = `query($in: In!, $list: [Int]) { a(in: $in, list: $list) }`
	for raw, want := range map[string]string{
		`[]`:                               "variables must be a JSON object",
		`{"in":`:                           "variables must be a JSON object",
		`{}`:                               "the variable $in is required",
		`{"in":null}`:                      "in must not be null",
		`{"in":7}`:                         "in must be an object",
		`{"in":{}}`:                        "in.s is required",
		`{"in":{"s":7}}`:                   "in.s must be of type String",
		`{"in":{"s":"","x":1}}`:            "In has no field of that name",
		`{"in":{"s":"","c":"BLUE"}}`:       "in.c is none of the values of Color",
		`{"in":{"s":"","list":[{"s":1}]}}`: "in.list.0.s must be of type String",
		`{"in":{"s":""},"list":[1,1.5]}`:   "list.1 must be of type Int",
		`{"in":{"s":""},"list":"1"}`:       "list.0 must be of type Int",
		`{"in":{"s":"","ids":["x"]}}`:      aUUID,
		`{"in":{"s":"","ids":7}}`:          aUUID,
		`{"in":{"s":"","at":"yesterday"}}`: "a time is RFC 3339 between the years 1678 and 2261, such as 2026-01-02T03:04:05.678Z",
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			_, err := variables(t, query, raw)
			if e, ok := errors.AsType[*hark.Error](err); !ok || e.Message != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// The path at fault begins with the argument, whatever the variable is called.
func TestPathOfWrongVariables(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`query($v: [UUID!]) { a(in: {s: "", list: {s: "", ids: $v}}) }`:                          "in.list.ids.1",
		`query($v: [UUID!]) { a(in: {s: "", list: [{s: "", ids: $v}]}) }`:                        "in.list.0.ids.1",
		`query($v: [UUID!]) { ...F } fragment F on Query { ... { b: a(in: {s: "", ids: $v}) } }`: "in.ids.1",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			_, err := variables(t, query, `{"v":["01890a5d-ac96-774b-bcce-b302099a8057","x"]}`)
			if e, ok := errors.AsType[*hark.Error](err); !ok || e.Field != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}
