package access_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/internal/pattern"
)

// compiled gives rules as a viewer who holds them everywhere has them.
func compiled(rules ...hark.Rule) *access.Rules {
	a := access.New(nil, slog.New(slog.DiscardHandler), access.Config{})
	return a.Rules(&hark.Viewer{Grants: []hark.Grant{{Rules: rules}}}, hark.ID{})
}

// allows is the meaning of rules, as plainly as it can be said.
func allows(rules []hark.Rule, action hark.Action, e *hark.Event) bool {
	allowed := false
	for _, r := range rules {
		if !slices.Contains(r.Actions, action) || !meets(r.Environment, e.Environment) || !meets(r.SecretPath, e.Path) {
			continue
		}
		if len(r.Events) > 0 && !slices.ContainsFunc(r.Events, func(p string) bool {
			return p == "*" || p == e.EventType() || p == e.ResourceType+":*" || p == e.Kind.String() || p == e.SourceService+"/*"
		}) {
			continue
		}
		if r.Inverted {
			return false
		}
		allowed = true
	}
	return allowed
}

func meets(c *hark.StringCondition, s string) bool {
	if c == nil {
		return true
	}
	if c.Glob != nil {
		if g, err := pattern.CompileGlob(*c.Glob); err != nil || !g.Match(s) {
			return false
		}
	}
	return (c.Eq == nil || *c.Eq == s) && (c.Ne == nil || *c.Ne != s) && (c.In == nil || slices.Contains(c.In, s))
}

// dice makes random rules, registrations and events that often meet.
type dice struct{ *rand.Rand }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

func (d dice) condition(texts, globs []string) *hark.StringCondition {
	var c hark.StringCondition
	switch d.IntN(6) {
	case 0, 1:
		return nil
	case 2:
		c.Eq = new(pick(d, texts...))
	case 3:
		c.Ne = new(pick(d, texts...))
	case 4:
		c.In = []string{pick(d, texts...), pick(d, texts...)}
	default:
		c.Glob = new(pick(d, globs...))
	}
	if d.IntN(5) == 0 {
		c.Ne = new(pick(d, texts...))
	}
	return &c
}

func environments() []string { return []string{"", "dev", "prod", "prod-eu"} }

func paths() []string { return []string{"", "/", "/app", "/app/a", "/app/a/b", "/x", "/.h"} }

func globs() []string {
	return []string{"/**", "/app/**", "/app/*", "/", "/{x,app}", "/*", "/**/a", "/.h"}
}

func (d dice) rule() hark.Rule {
	r := hark.Rule{
		Inverted:    d.IntN(4) == 0,
		Actions:     []hark.Action{pick(d, hark.ReadEvents, hark.SubscribeEvents)},
		Environment: d.condition(environments(), []string{"prod*", "*", "dev"}),
		SecretPath:  d.condition(paths(), globs()),
	}
	for range d.IntN(3) {
		r.Events = append(r.Events, pick(d, "*", "secret:update", "secret:*", "s/*", "t/secret:update", "s/user:create"))
	}
	return r
}

func (d dice) event() *hark.Event {
	return &hark.Event{
		Kind:        hark.Kind{SourceService: pick(d, "s", "t"), ResourceType: pick(d, "secret", "user"), OperationType: pick(d, "create", "update")},
		Environment: pick(d, environments()...), Path: pick(d, paths()...),
	}
}

func (d dice) registration() hark.Registration {
	r := hark.Registration{Event: pick(d, "*", "secret:update", "user:*", "t/*")}
	if d.IntN(3) > 0 {
		r.Conditions = &hark.Conditions{}
		if d.IntN(2) == 0 {
			r.Conditions.EnvironmentSlug = new(pick(d, environments()...))
		}
		if d.IntN(2) == 0 {
			r.Conditions.SecretPath = new(pick(d, globs()...))
		}
	}
	return r
}

func TestRulesMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	d := dice{rand.New(rand.NewPCG(5, 6))}
	told, vain := 0, 0
	for range 4000 {
		var rules []hark.Rule
		for range d.IntN(6) {
			rules = append(rules, d.rule())
		}
		r := compiled(rules...)
		registration := d.registration()
		filter, err := pattern.CompileFilter([]hark.Registration{registration})
		if err != nil {
			t.Fatal(err)
		}
		some, any := false, false
		for range 200 {
			e := d.event()
			want := allows(rules, hark.ReadEvents, e)
			if got := r.Allows(hark.ReadEvents, e); got != want {
				t.Fatalf("%+v on %+v: %v", rules, e, got)
			}
			any = any || want
			some = some || want && filter.Match(e)
		}
		if any && !r.Can(hark.ReadEvents) {
			t.Fatalf("%+v: allows an event, but can't", rules)
		}
		got := r.AllowsSome(hark.ReadEvents, registration)
		if some && !got {
			t.Fatalf("%+v: some of %+v is allowed", rules, registration)
		}
		told++
		if got != some {
			vain++
		}
	}
	if vain > told/20 {
		t.Errorf("AllowsSome is too generous: %d of %d", vain, told)
	}
}

func TestAllowsSome(t *testing.T) {
	t.Parallel()
	all := hark.Rule{Actions: hark.Actions()}
	staging := hark.Rule{Actions: hark.Actions(), Environment: &hark.StringCondition{In: []string{"staging", "dev"}}, SecretPath: &hark.StringCondition{Glob: new("/app/**")}}
	noProd := hark.Rule{Inverted: true, Actions: hark.Actions(), Environment: &hark.StringCondition{Eq: new("prod")}}
	hidden := hark.Rule{Inverted: true, Actions: hark.Actions(), SecretPath: &hark.StringCondition{Glob: new("/app/**")}}
	at := func(event, environment, path string) hark.Registration {
		return hark.Registration{Event: event, Conditions: &hark.Conditions{EnvironmentSlug: &environment, SecretPath: &path}}
	}
	some := hark.Rule{Actions: hark.Actions(), Environment: &hark.StringCondition{In: []string{"prod", "dev"}}, SecretPath: &hark.StringCondition{Glob: new("/{a,b}")}}
	deny := func(environment, path string) hark.Rule {
		return hark.Rule{Inverted: true, Actions: hark.Actions(), Environment: &hark.StringCondition{Eq: &environment}, SecretPath: &hark.StringCondition{Glob: &path}}
	}
	for name, tt := range map[string]struct {
		rules []hark.Rule
		r     hark.Registration
		want  bool
	}{
		"denied one by one":        {[]hark.Rule{some, noProd, deny("dev", "/a"), deny("dev", "/b")}, hark.Registration{Event: "*"}, false},
		"all but one":              {[]hark.Rule{some, noProd, deny("dev", "/a")}, hark.Registration{Event: "*"}, true},
		"no rule":                  {nil, hark.Registration{Event: "*"}, false},
		"all":                      {[]hark.Rule{all}, hark.Registration{Event: "*"}, true},
		"other environment":        {[]hark.Rule{staging}, at("*", "prod", "/**"), false},
		"same environment":         {[]hark.Rule{staging}, at("*", "dev", "/**"), true},
		"disjoint paths":           {[]hark.Rule{staging}, at("*", "dev", "/x/**"), false},
		"the root alone":           {[]hark.Rule{staging}, at("*", "dev", "/"), false},
		"denied environment":       {[]hark.Rule{all, noProd}, at("*", "prod", "/"), false},
		"beside the denied one":    {[]hark.Rule{all, noProd}, at("*", "dev", "/"), true},
		"denied folder":            {[]hark.Rule{all, hidden}, at("*", "dev", "/app/x/*"), false},
		"more than the denied one": {[]hark.Rule{all, hidden}, at("*", "dev", "/**"), true},
		"a wider denial":           {[]hark.Rule{{Actions: hark.Actions(), SecretPath: &hark.StringCondition{Glob: new("/app/x*")}}, deny("dev", "/app/*")}, at("*", "dev", "/**"), false},
		"listed by braces":         {[]hark.Rule{all, deny("dev", "/{a,b}"), deny("dev", "/c")}, at("*", "dev", "/{a,b,c}"), false},
		"one of them is left":      {[]hark.Rule{all, deny("dev", "/{a,b}")}, at("*", "dev", "/{a,b,c}"), true},
		"by globs together":        {[]hark.Rule{all, deny("dev", "/a*"), deny("dev", "/b*")}, at("*", "dev", "/{a,b}*"), true}, // nothing is left; see AllowsSome
		"everything denied":        {[]hark.Rule{all, {Inverted: true, Actions: hark.Actions()}}, hark.Registration{Event: "*"}, false},
		"broken":                   {[]hark.Rule{all}, hark.Registration{Event: "secret"}, false},
	} {
		if got := compiled(tt.rules...).AllowsSome(hark.SubscribeEvents, tt.r); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEqualRulesAreTheSame(t *testing.T) {
	t.Parallel()
	a := access.New(nil, slog.New(slog.DiscardHandler), access.Config{})
	read := hark.Rule{Actions: []hark.Action{hark.ReadEvents}}
	write := hark.Rule{Actions: []hark.Action{hark.PublishEvents}}
	project, other := hark.NewID(), hark.NewID()
	one := &hark.Viewer{Grants: []hark.Grant{{ProjectID: project, Rules: []hark.Rule{read}}, {Rules: []hark.Rule{write}}}}
	two := &hark.Viewer{Grants: []hark.Grant{{ProjectID: project, Rules: []hark.Rule{write, read}}, {ProjectID: other, Rules: []hark.Rule{read}}}}
	first := a.Rules(one, project)
	runtime.GC() // what is in use is not forgotten
	if second := a.Rules(two, project); first != second || first.Key() != second.Key() {
		t.Error("equal rules are two")
	}
	if first == a.Rules(two, other) || a.Rules(two, hark.ID{}).Can(hark.ReadEvents) || !a.Rules(one, hark.ID{}).Can(hark.PublishEvents) {
		t.Error("rules of one project hold in another")
	}
	if got := fmt.Sprint(first.Actions()); got != "[READ_EVENTS PUBLISH_EVENTS]" {
		t.Error(got)
	}
}

// fifty are rules that are all about the action, and an event that none but the last allows.
func fifty() (*access.Rules, *hark.Event) {
	var rules []hark.Rule
	for i := range 25 {
		rules = append(rules,
			hark.Rule{Inverted: true, Actions: []hark.Action{hark.ReadEvents}, Events: []string{"secret:update"}, SecretPath: &hark.StringCondition{Glob: new(fmt.Sprintf("/team%d/**", i))}},
			hark.Rule{Actions: []hark.Action{hark.ReadEvents}, Environment: &hark.StringCondition{Eq: new(fmt.Sprintf("env%d", i))}})
	}
	return compiled(rules...), &hark.Event{
		Kind:        hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
		Environment: "env24", Path: "/app/" + strings.Repeat("folder/", 4),
	}
}

func TestAllowsDoesNotAllocate(t *testing.T) {
	r, e := fifty()
	if n := testing.AllocsPerRun(100, func() { r.Allows(hark.ReadEvents, e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAllows(b *testing.B) {
	r, e := fifty()
	for b.Loop() {
		if !r.Allows(hark.ReadEvents, e) {
			b.Fatal("denied")
		}
	}
}
