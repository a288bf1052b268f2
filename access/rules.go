package access

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"weak"

	"github.com/hark-events/hark"
)

// Rules are the compiled rules of a viewer in one project. Viewers whose rules
// are the same share the very same Rules, so the pointer is their access class.
type Rules struct {
	key     string
	actions map[hark.Action]*lines
	read    lines // READ_EVENTS, SUBSCRIBE_EVENTS and PUBLISH_EVENTS without a look-up
	live    lines
	publish lines
}

// lines are the rules for one action.
type lines struct {
	allow, deny             []region
	allowGroups, denyGroups []group // the same, for Allows
}

// compile never fails: rules were checked before they were stored. One that is
// broken all the same allows nothing and denies everything that it names.
func compile(key string, rules []hark.Rule) *Rules {
	r := &Rules{key: key, actions: make(map[hark.Action]*lines)}
	for i := range rules {
		rule := &rules[i]
		compiled, err := regions(rule)
		if err != nil {
			if !rule.Inverted {
				continue
			}
			compiled = []region{everything()}
		}
		for _, action := range rule.Actions {
			l := r.actions[action]
			if l == nil {
				l = &lines{}
				r.actions[action] = l
			}
			if rule.Inverted {
				l.deny = append(l.deny, compiled...)
			} else {
				l.allow = append(l.allow, compiled...)
			}
		}
	}
	for action, l := range r.actions {
		everywhere := everything()
		if len(l.allow) == 0 || slices.ContainsFunc(l.deny, func(d region) bool { return d.covers(&everywhere) }) {
			delete(r.actions, action) // nothing is left of it
		}
		l.allowGroups, l.denyGroups = grouped(l.allow), grouped(l.deny)
	}
	for action, to := range map[hark.Action]*lines{hark.ReadEvents: &r.read, hark.SubscribeEvents: &r.live, hark.PublishEvents: &r.publish} {
		if l := r.actions[action]; l != nil {
			*to = *l
		}
	}
	return r
}

// lines gives the rules for an action; none at all where nothing allows it.
func (r *Rules) lines(action hark.Action) *lines {
	switch action {
	case hark.ReadEvents:
		return &r.read
	case hark.SubscribeEvents:
		return &r.live
	case hark.PublishEvents:
		return &r.publish
	}
	if l := r.actions[action]; l != nil {
		return l
	}
	return &lines{}
}

// Key tells equal rules from others: the SHA-256 of what they were compiled from, 32 bytes.
func (r *Rules) Key() string { return r.key }

// Empty tells whether nothing at all is allowed.
func (r *Rules) Empty() bool { return len(r.actions) == 0 }

// Allows tells whether the action is allowed on the event. It does not allocate.
func (r *Rules) Allows(action hark.Action, e *hark.Event) bool {
	l := r.lines(action)
	if len(l.allow) == 0 {
		return false
	}
	h := headsOf(e.Environment, e.Path)
	return !have(l.denyGroups, e, &h) && have(l.allowGroups, e, &h)
}

// Can tells whether the action is allowed on something. For an action that is
// not about events it is the whole answer: conditions don't narrow it, and only
// a denying rule without conditions takes it away.
func (r *Rules) Can(action hark.Action) bool { return len(r.lines(action).allow) > 0 }

// AllowsSome tells whether the action may be allowed on some event that the
// registration asks for. A no is certain, and so is a yes where the environments
// and paths in question can be listed. Elsewhere it says no if one denial takes
// all away that has no globs but lists, `*` for a segment and `/**` at the end;
// where several do so together, or one by other globs, it says yes: each event
// is asked for itself, so such a stream stays silent.
func (r *Rules) AllowsSome(action hark.Action, registration hark.Registration) bool {
	want, err := asked(registration)
	if err != nil {
		return false
	}
	l := r.lines(action)
	for i := range l.allow {
		a := &l.allow[i]
		if a.overlaps(&want) && leaves(a, &want, l.deny) {
			return true
		}
	}
	return false
}

// Actions lists what is allowed on something, in the order of the schema.
func (r *Rules) Actions() []hark.Action {
	return slices.DeleteFunc(hark.Actions(), func(a hark.Action) bool { return !r.Can(a) })
}

// sets keeps one Rules for all that are equal, for as long as anybody uses it.
type sets struct {
	mu  sync.Mutex
	all map[string]weak.Pointer[Rules]
}

func newSets() *sets { return &sets{all: make(map[string]weak.Pointer[Rules])} }

// get gives the one Rules for these rules, whose order does not count.
func (s *sets) get(rules []hark.Rule) *Rules {
	texts := make([]string, len(rules))
	for i, r := range rules {
		b, err := json.Marshal(r)
		if err != nil {
			panic(fmt.Sprintf("access: a rule is plain text: %v", err))
		}
		texts[i] = string(b)
	}
	slices.Sort(texts)
	h := sha256.New()
	for _, t := range slices.Compact(texts) {
		h.Write([]byte(t))
		h.Write([]byte{'\n'})
	}
	key := string(h.Sum(nil))

	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.all[key].Value(); r != nil {
		return r
	}
	r := compile(key, rules)
	s.all[key] = weak.Make(r)
	runtime.AddCleanup(r, s.forget, key)
	return r
}

// forget drops the place of a Rules that nobody uses any more, unless a new
// one has taken it.
func (s *sets) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w, ok := s.all[key]; ok && w.Value() == nil {
		delete(s.all, key)
	}
}

// Rules gives the compiled rules of a viewer in a project: those granted there
// and those granted in all projects. A zero project gives the latter alone.
func (a *Access) Rules(v *hark.Viewer, project hark.ID) *Rules {
	key := compiledKey{viewer: v, project: project}
	if r, ok := a.cache.compiled.Get(key); ok {
		return r
	}
	r := a.sets.get(rulesIn(v.Grants, project))
	a.cache.compiled.Add(key, r)
	return r
}

// rulesIn gathers what grants give in a project; zero: in all projects alone.
func rulesIn(grants []hark.Grant, project hark.ID) (rules []hark.Rule) {
	for _, g := range grants {
		if g.ProjectID.IsZero() || g.ProjectID == project {
			rules = append(rules, g.Rules...)
		}
	}
	return rules
}
