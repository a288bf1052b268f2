package hark_test

import (
	"testing"

	"github.com/hark-events/hark"
)

// FuzzCursor: a text is a cursor of the project or BAD_USER_INPUT, and a cursor
// says the same again.
func FuzzCursor(f *testing.F) {
	project := hark.MustParseID("01980000-0000-7000-8000-000000000001")
	f.Add(hark.Cursor{Project: project, Sequence: 7}.String())
	f.Add("AQAAAAE")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := hark.ParseCursor(project, text)
		if err != nil {
			return
		}
		if c.Sequence < 0 || c.Project != project {
			t.Fatalf("%q is %+v", text, c)
		}
		if again, err := hark.ParseCursor(project, c.String()); err != nil || again != c {
			t.Fatalf("%q is %+v, and then %+v %v", text, c, again, err)
		}
	})
}
