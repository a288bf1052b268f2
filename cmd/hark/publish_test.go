package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// event is one of the input of hark publish, about path.
func event(path string) string {
	return `{"sourceService":"secret-manager","resourceType":"secret","operationType":"update","path":"` + path + `","payload":{"z":1.0,"a":"<"}}`
}

func TestPublish(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	env := []string{"HARK_URL=" + n.URL(), "HARK_TOKEN=" + testkit.AdminToken}
	good, bad := event("/a"), event("a")
	many := strings.Repeat(good+"\n", 1001)
	for name, tt := range map[string]struct {
		input  string
		events int // 0: refused
		says   string
	}{
		"an object":               {good, 1, "Published 1"},
		"an object over lines":    {strings.ReplaceAll(good, ",", ",\n"), 1, ""},
		"lines":                   {good + "\n\n" + good + "\r\n" + good, 3, ""},
		"an array":                {"[" + good + ",\n" + good + "]\n", 2, ""},
		"nothing":                 {"\n", 0, "no event"},
		"an empty array":          {"[]", 0, "no event"},
		"a bad third line":        {good + "\n" + good + "\n" + bad + "\n" + good, 0, "line 3: path:"},
		"a bad item of an array":  {"[\n" + good + ",\n" + bad + "]", 0, "line 3: path:"},
		"a line that is no JSON":  {good + "\nplanted\n", 0, "line 2:"},
		"a line that is no event": {good + "\n7\n", 0, "line 2:"},
		"half a line":             {good + "\n{\"payload\":", 0, "line 2:"},
		"an array that goes on":   {"[" + good + "] " + good, 0, "line 1:"},
		"an array without end":    {"[" + good, 0, "line 1:"},
		"an unknown definition":   {good + "\n" + strings.Replace(good, "secret-manager", "shop", 1), 0, "line 2: no event definition shop/secret:update"},
		"an unknown field":        {strings.Replace(good, "path", "pfad", 1), 0, "line 1: pfad:"},
		"1,001 events":            {many, 0, "1001"},
	} {
		t.Run(name, func(t *testing.T) {
			before := last(t, n)
			r := hark(t, env, tt.input, "publish")
			if tt.events == 0 {
				r.wants(t, 1, tt.says)
			} else {
				r.wants(t, 0, tt.says)
			}
			if got := last(t, n) - before; got != tt.events || strings.Count(r.out, "\n") != tt.events {
				t.Errorf("%d events stored, stdout %q; want %d", got, r.out, tt.events)
			}
			for line := range strings.Lines(r.out) {
				var e struct {
					ID       string
					Sequence int
				}
				if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID == "" || e.Sequence == 0 {
					t.Errorf("stdout has the line %q", line)
				}
			}
		})
	}

	file := filepath.Join(t.TempDir(), "events.json")
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	hark(t, env, "", "publish", file).wants(t, 0, "Published 1")
	hark(t, env, "", "publish", file+".missing").wants(t, 1, "events.json.missing")
	hark(t, env[:1], good, "publish").wants(t, 1, "token")
	hark(t, []string{env[0], "HARK_TOKEN=planted"}, good, "publish").wants(t, 1, "token")
	hark(t, []string{"HARK_URL=http://127.0.0.1:1"}, good, "publish").wants(t, 1, "127.0.0.1:1")
	hark(t, []string{env[0] + "/playground", env[1]}, good, "publish").wants(t, 1, "hark server")
}

// last is the last sequence of the default project.
func last(t *testing.T, n *testkit.Node) int {
	t.Helper()
	type data struct {
		Events struct{ Nodes []struct{ ID string } }
	}
	return len(testkit.MustCall[data](t, n.Admin(), `{ events(filter: {}, first: 500) { nodes { id } } }`, nil).Events.Nodes)
}
