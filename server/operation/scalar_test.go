package operation

import (
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/hark-events/hark"
)

func TestScalarLiterals(t *testing.T) {
	t.Parallel()
	d := newDocuments(gqlparser.MustLoadSchema(&ast.Source{Input: testSchema}))
	for query, field := range map[string]string{
		`{ a(id: "01890a5d-ac96-774b-bcce-b302099a8057", in: {s: "", at: "2026-01-02T03:04:05Z", ids: []}) }`: "",
		`{ a(id: null) }`:                 "",
		`query($id: UUID) { a(id: $id) }`: "",
		`{ a(id: "x") }`:                  "id",
		`{ a(id: 7) }`:                    "id",
		`{ a(id: X) }`:                    "id",
		`{ a(in: {s: "", ids: "x"}) }`:    "in.ids",
		`{ a(in: {s: "", list: {s: "", ids: ["01890a5d-ac96-774b-bcce-b302099a8057", "x"]}}) }`: "in.list.ids.1",
		`{ a(in: {s: "", at: "yesterday"}) }`:                                                   "in.at",
		`query($v: UUID = "x") { a(id: $v) }`:                                                   "id",
		`{ ...F ...F } fragment F on Query { a(id: "x") }`:                                      "id",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			_, err := d.load(query)
			if field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			errs, _ := err.(gqlerror.List)
			if len(errs) != 1 || errs[0].Extensions["code"] != string(hark.BadUserInput) || errs[0].Extensions["field"] != field {
				t.Errorf("got %#v, want %s", err, field)
			}
		})
	}
}
