package promises

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestAuditExport changes one of everything, and reads of it in lines of JSON.
func TestAuditExport(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	admin := n.Admin()
	const secret = "credential-that-nobody-may-read"
	s := newSubscriber(t, nil)
	in := input(t, admin, s.url+"?key="+secret)
	in["auth"] = testkit.Vars{"apiKey": testkit.Vars{"key": secret}}
	id, _ := create(t, admin, in)
	_ = testkit.MustCall[any](t, admin, `mutation($id: UUID!) { updateEventSubscription(id: $id, input: {timeoutSeconds: 7}) { id } }`, testkit.Vars{"id": id})
	_ = testkit.MustCall[any](t, admin, `mutation($id: UUID!) { deleteEventSubscription(id: $id) }`, testkit.Vars{"id": id})
	type made struct{ CreateEventDefinition struct{ ID string } }
	definition := testkit.MustCall[made](t, admin, `mutation { createEventDefinition(input: {sourceService: "s", resourceType: "r", operationType: "o"}) { id } }`, nil).CreateEventDefinition.ID
	_ = testkit.MustCall[any](t, admin, `mutation($id: UUID!) { updateEventDefinition(id: $id, input: {sourceService: "s", resourceType: "r", operationType: "p"}) { id } }`, testkit.Vars{"id": definition})
	_ = testkit.MustCall[any](t, admin, `mutation($id: UUID!) { deleteEventDefinition(id: $id) }`, testkit.Vars{"id": definition})
	if err := (testkit.Client{URL: n.URL(), Token: "hark_" + secret}).Call(t.Context(), `{ viewer { __typename } }`, nil, nil); err == nil {
		t.Fatal("a token of nobody passes")
	}

	type entry struct {
		Action, Target, Address, UserAgent string
		Actor                              *struct{ Name string }
		Detail                             json.RawMessage
	}
	export := func() (text string, entries []entry) {
		cmd := testkit.Command(t.Context(), t, []string{"HARK_URL=" + n.URL(), "HARK_TOKEN=" + testkit.AdminToken}, "audit", "export")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatal(err, errs.String())
		}
		for line := range strings.Lines(out.String()) {
			var e entry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err, line)
			}
			entries = append(entries, e)
		}
		return out.String(), entries
	}
	text, entries := export()
	for _, want := range []struct{ action, target, detail string }{
		{"createEventSubscription", id, `"after":{`},
		{"updateEventSubscription", id, `"timeoutSeconds":7`},
		{"deleteEventSubscription", id, `{"before":{`},
		{"createEventDefinition", definition, `{"after":{"key":"s/r:o"}}`},
		{"updateEventDefinition", definition, `{"before":{"key":"s/r:o"},"after":{"key":"s/r:p"}}`},
		{"deleteEventDefinition", definition, `{"before":{"key":"s/r:p"}}`},
	} {
		found := false
		for _, e := range entries {
			found = found || e.Action == want.action && e.Target == want.target && strings.Contains(string(e.Detail), want.detail) &&
				e.Address == "127.0.0.1" && strings.HasPrefix(e.UserAgent, "Go-http-client") && e.Actor != nil && e.Actor.Name == "admin"
		}
		if !found {
			t.Errorf("no entry %+v in\n%s", want, text)
		}
	}
	eventually(t, "the entry of a refusal", func() bool {
		text, entries = export()
		for _, e := range entries {
			if e.Action == "refuse" && e.Address == "127.0.0.1" && strings.Contains(string(e.Detail), "invalid_token") {
				return true
			}
		}
		return false
	})
	if strings.Contains(text, secret) || strings.Contains(text, testkit.AdminToken) {
		t.Error("the audit log has a secret")
	}
}
