package access_test

import (
	"encoding/json"
	"testing"

	"github.com/hark-events/hark"
)

// FuzzRules: rules of any text compile, and never allow what none of them names.
func FuzzRules(f *testing.F) {
	f.Add([]byte(`[{"actions":["READ_EVENTS"],"events":["secret:*"],"secretPath":{"glob":"/app/**"}}]`), "staging", "/app/a")
	f.Add([]byte(`[{"inverted":true,"actions":["READ_EVENTS"],"secretPath":{"glob":"[","ne":""}},{"actions":["READ_EVENTS"]}]`), "", "/")
	f.Add([]byte(`[{"actions":["READ_EVENTS"],"environment":{"in":[]}}]`), "x", "")
	f.Fuzz(func(t *testing.T, text []byte, environment, path string) {
		var rules []hark.Rule
		if json.Unmarshal(text, &rules) != nil {
			return // no rules: the door has refused them
		}
		r := compiled(rules...)
		e := &hark.Event{Kind: hark.Kind{SourceService: "s", ResourceType: "secret", OperationType: "update"}, Environment: environment, Path: path}
		if r.Allows(hark.ReadEvents, e) && !r.Can(hark.ReadEvents) {
			t.Fatalf("%s allows an event, but can't", text)
		}
		named := false
		for _, rule := range rules {
			for _, a := range rule.Actions {
				named = named || a == hark.ReadEvents && !rule.Inverted
			}
		}
		if !named && r.Allows(hark.ReadEvents, e) {
			t.Fatalf("%s allows what no rule names", text)
		}
		r.AllowsSome(hark.ReadEvents, hark.Registration{Event: "secret:update", Conditions: &hark.Conditions{EnvironmentSlug: &environment, SecretPath: &path}})
	})
}
