package pattern_test

import (
	"errors"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/pattern"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	update := hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"}
	for text, want := range map[string]bool{
		"*": true, "secret:update": true, "secret:*": true, "*:update": true, "*:*": true,
		"secret-manager/secret:update": true, "secret-manager/*": true, "*/secret:update": true,
		"secret:create": false, "Secret:update": false, "other/*": false, "other/secret:update": false, "user:*": false,
	} {
		e, err := pattern.CompileEvent(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if e.Match(&update) != want {
			t.Errorf("%q matches: %v", text, !want)
		}
	}
	for _, text := range []string{"", "secret", "secret:", ":update", "a/b/c:d", "sec*:update", "a:b:c", "/secret:update", "secret: update", "secret-manager/secret"} {
		if _, err := pattern.CompileEvent(text); err == nil {
			t.Errorf("%q compiled", text)
		}
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	at := func(environment, path string) *hark.Event {
		return &hark.Event{Kind: hark.Kind{SourceService: "s", ResourceType: "secret", OperationType: "update"}, Environment: environment, Path: path}
	}
	all, err := pattern.CompileFilter(nil)
	if err != nil || !all.Match(at("", "")) {
		t.Errorf("no registration does not pass all: %v", err)
	}
	f, err := pattern.CompileFilter([]hark.Registration{
		{Event: "user:*"},
		{Event: "secret:*", Conditions: &hark.Conditions{EnvironmentSlug: text("staging"), SecretPath: text("/app/**")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		event *hark.Event
		want  bool
	}{
		{at("staging", "/app/a"), true},
		{at("prod", "/app/a"), false},
		{at("staging", "/x"), false},
		{at("staging", ""), false},
	} {
		if f.Match(tt.event) != tt.want {
			t.Errorf("%+v passes: %v", tt.event, !tt.want)
		}
	}
	for field, bad := range map[string]hark.Registration{
		"register.1.event":                 {Event: "secret"},
		"register.1.conditions.secretPath": {Event: "*", Conditions: &hark.Conditions{SecretPath: text("/{a")}},
	} {
		_, err := pattern.CompileFilter([]hark.Registration{{Event: "*"}, bad})
		if e, ok := errors.AsType[*hark.Error](err); !ok || e.Code != hark.BadUserInput || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
