package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestCloudEvents publishes with the CloudEvents SDK for JavaScript.
func TestCloudEvents(t *testing.T) {
	t.Parallel()
	artifacts(t)
	node := testkit.Hark(t)
	cmd := exec.CommandContext(t.Context(), "node", "cloudevents.mjs")
	cmd.Env = append(os.Environ(), "HARK_URL="+node.URL(), "HARK_TOKEN="+testkit.AdminToken)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		var a struct {
			Status, Duplicates int
			Events             []struct{ Sequence int }
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b))
	}
	want := []string{
		`{"Status":200,"Duplicates":0,"Events":[{"Sequence":1}]}`,
		`{"Status":200,"Duplicates":0,"Events":[{"Sequence":2}]}`,
		`{"Status":200,"Duplicates":1,"Events":[{"Sequence":2}]}`,
		`{"Status":422,"Duplicates":0,"Events":null}`,
		`{"Status":200,"Duplicates":0,"Events":[{"Sequence":3},{"Sequence":4}]}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", out)
	}
	type data struct {
		Events struct {
			Nodes []struct{ Path, Environment, OccurredAt, Payload any }
		}
	}
	nodes := testkit.MustCall[data](t, node.Admin(), `{ events(filter: {}) { nodes { path environment occurredAt payload } } }`, nil).Events.Nodes
	for _, e := range nodes {
		payload, _ := e.Payload.(map[string]any)
		if e.Path != "/app/a b" || e.Environment != "staging" || e.OccurredAt != "2026-01-02T03:04:05.678Z" || payload["secretKey"] != "A<B" {
			t.Errorf("%+v", e)
		}
	}
}
