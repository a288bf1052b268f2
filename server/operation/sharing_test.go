package operation_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/following"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/stream"
)

// A house is all that a subscription needs but a transport.
type house struct {
	graph.ResolverRoot
	graph.SubscriptionResolver
	rules    *access.Access
	broker   pubsub.Broker
	listener *stream.Listener
	executor *operation.Executor
	project  hark.ID

	mu      sync.Mutex
	events  []*hark.Event
	now     map[hark.ID]*hark.Viewer // by identity, as their tokens say now
	watches map[*hark.Viewer][]func()
}

func (h *house) Subscription() graph.SubscriptionResolver { return h }

func (h *house) ProjectEvents(ctx context.Context, f hark.ProjectEventsFilter, after *string) (<-chan *hark.Event, error) {
	feed, _ := stream.FeedFrom(ctx)
	if feed.After != "" {
		after = &feed.After
	}
	r, err := h.listener.Open(ctx, h.project, f.Register, after)
	if err != nil {
		return nil, err
	}
	return feed.Bind(r), nil
}

func (h *house) CheckField(context.Context, string) error { return nil }
func (h *house) MayIntrospect(context.Context) bool       { return true }

func (h *house) Subscribable(ctx context.Context, project hark.ID, register []hark.Registration) (func(*hark.Event) bool, any, error) {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return nil, nil, err
	}
	rules := h.rules.Rules(v, project)
	if !rules.Can(hark.SubscribeEvents) {
		return nil, nil, hark.Errorf(hark.Forbidden, "no role of yours allows it")
	}
	for _, r := range register {
		if !rules.AllowsSome(hark.SubscribeEvents, r) {
			return nil, nil, hark.Errorf(hark.Forbidden, "no role of yours allows to hear %s", r.Event)
		}
	}
	return func(e *hark.Event) bool { return rules.Allows(hark.SubscribeEvents, e) }, rules, nil
}

func (h *house) Authenticate(context.Context, string) (*hark.Viewer, error) { panic("nobody asks") }

func (h *house) Admit(context.Context, *hark.Viewer) error { return nil }

func (h *house) Reauthorize(_ context.Context, v *hark.Viewer) (*hark.Viewer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now[v.IdentityID], nil
}

func (h *house) Watch(v *hark.Viewer, changed func()) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watches[v] = append(h.watches[v], changed)
	return func() {}
}

func (h *house) Read(_ context.Context, _ hark.ID, after int64, limit int) ([]*hark.Event, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events[after:min(after+int64(limit), int64(len(h.events)))], nil
}

func (h *house) Bounds(context.Context, hark.ID) (int64, int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return 1, int64(len(h.events)), nil
}

func (h *house) Heads(ctx context.Context, _ []hark.ID) (map[hark.ID]int64, error) {
	_, last, _ := h.Bounds(ctx, h.project)
	return map[hark.ID]int64{h.project: last}, nil
}

var (
	types        = []string{"create", "update", "delete"}
	environments = []string{"dev", "prod", ""}
	paths        = []string{"/", "/app", "/app/a", "/db"}
)

func pick[T any](list []T) T { return list[rand.IntN(len(list))] }

func (h *house) publish(n int) {
	h.mu.Lock()
	from := len(h.events)
	for range n {
		h.events = append(h.events, &hark.Event{
			ID: hark.NewID(), ProjectID: h.project, Sequence: int64(len(h.events) + 1), Environment: pick(environments), Path: pick(paths),
			Kind:    hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: pick(types)},
			Payload: hark.JSON(fmt.Sprintf(`{"n": %d}`, rand.IntN(1000))),
		})
	}
	list := h.events[from:]
	h.mu.Unlock()
	h.broker.Publish(h.project, list)
}

// role makes one of a few sets of rules, so that some viewers have the same.
func (h *house) role() []hark.Grant {
	var rules []hark.Rule
	for i := range 1 + rand.IntN(2) {
		r := hark.Rule{Inverted: i > 0, Actions: []hark.Action{hark.SubscribeEvents}, Events: []string{"secret:" + pick(append(types, "*"))}}
		if rand.IntN(2) == 0 {
			env := pick(environments[:2])
			r.Environment = &hark.StringCondition{Eq: &env}
		}
		rules = append(rules, r)
	}
	return []hark.Grant{{RoleID: hark.NewID(), ProjectID: h.project, Rules: rules}}
}

// everything is a role that leaves nothing out, so that something is heard.
func (h *house) everything() []hark.Grant {
	return []hark.Grant{{RoleID: hark.NewID(), ProjectID: h.project, Rules: []hark.Rule{
		{Actions: []hark.Action{hark.SubscribeEvents}, Events: []string{"secret:*"}},
	}}}
}

var requests = []operation.Request{
	{Query: `subscription { projectEvents(filter: {}) { sequence payload } }`},
	{Query: `subscription { projectEvents(filter: {register: [{event: "secret:update"}]}) { id eventType path } }`},
	{Query: `subscription($e: String!) { projectEvents(filter: {register: [{event: "secret:*", conditions: {environmentSlug: $e}}]}) { sequence environment } }`, Variables: []byte(`{"e":"dev"}`)},
	{Query: `subscription($e: String!) { projectEvents(filter: {register: [{event: "secret:*", conditions: {environmentSlug: $e}}]}) { sequence environment } }`, Variables: []byte(`{"e":"prod"}`)},
	{Query: `subscription($p: Boolean!) { projectEvents(filter: {}) { sequence payload @include(if: $p) } }`, Variables: []byte(`{"p":true}`)},
	{Query: `subscription($p: Boolean!) { projectEvents(filter: {}) { sequence payload @include(if: $p) } }`, Variables: []byte(`{"p":false}`)},
	{Query: `subscription { e: projectEvents(filter: {}) { ...f } } fragment f on Event { sequence payload }`},
	{Query: `subscription { e: projectEvents(filter: {}) { ...f } } fragment f on Event { sequence kind: eventType }`},
	{Query: `subscription($a: String) { projectEvents(filter: {}, after: $a) { sequence cursor } }`},
}

// A page takes what a subscriber is sent.
type page struct {
	mu   sync.Mutex
	text strings.Builder
	slow bool
	last func(context.Context, error) *operation.Answer
}

func (*page) Lane() string { return "" }
func (*page) Append(b []byte, f stream.Frame) []byte {
	return append(append(b, f.Payload...), '\n')
}

func (p *page) TryWrite(b []byte) error {
	if p.slow && rand.IntN(2) == 0 {
		return stream.ErrBusy
	}
	return p.Write(b)
}
func (*page) Flush() error { return nil }
func (p *page) Write(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	return nil
}

func (*page) Begin(hark.Cursor) {}

func (p *page) End(ctx context.Context, why error) {
	if last := p.last(ctx, why); last != nil && !last.Draining {
		_ = p.Write(append(last.Payload, "end\n"...))
	}
}

// Whoever shares an execution gets, byte for byte, what an execution of his own
// gives him: over random roles, filters, positions and events, and changes of
// roles on the way.
func TestSharedIsWhatPrivateIs(t *testing.T) {
	t.Parallel()
	for range 5 {
		synctest.Test(t, func(t *testing.T) {
			log := slog.New(slog.DiscardHandler)
			h := &house{
				rules: access.New(nil, log, access.Config{}), broker: pubsub.NewLocal(), project: hark.NewID(),
				now: map[hark.ID]*hark.Viewer{}, watches: map[*hark.Viewer][]func(){},
			}
			hub := stream.NewHub(h, h.broker, log, stream.Config{})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- hub.Run(ctx) }()
			h.listener = stream.NewListener(hub, h, h.project)
			schema := graph.NewExecutableSchema(graph.Config{Resolvers: h, Complexity: operation.Complexity()})
			h.executor = operation.NewExecutor(schema, h, true, log)

			shared := stream.NewGroups()
			type pair struct{ shared, private *page }
			var pairs []pair
			var all []*following.Following
			var sessions []*authority.Session
			h.publish(20)
			roles := [][]hark.Grant{h.role(), h.role(), h.everything(), nil}
			for range 150 {
				v := &hark.Viewer{IdentityID: hark.NewID(), Grants: pick(roles[:3])}
				h.now[v.IdentityID] = v
				req, after := pick(requests), ""
				if rand.IntN(3) == 0 {
					after = hark.Cursor{Project: h.project, Sequence: rand.Int64N(20)}.String()
				}
				p := pair{&page{slow: rand.IntN(3) == 0}, &page{}}
				for _, out := range []*page{p.shared, p.private} {
					groups, executor := shared, h.executor
					if out == p.private {
						groups, executor = stream.NewGroups(), operation.NewExecutor(schema, h, true, log)
					}
					op, err := executor.Prepare(hark.WithViewer(ctx, v), req)
					if err != nil {
						t.Fatal(err)
					}
					s := authority.NewSession(h, v)
					s.Keep(ctx, func(error) {})
					sessions = append(sessions, s)
					out.last = h.executor.Last
					f := following.New(s, groups, out)
					all = append(all, f)
					go f.Run(ctx, op.Source(), after)
				}
				pairs = append(pairs, p)
			}
			synctest.Wait()
			for range 5 {
				h.publish(1 + rand.IntN(40))
				synctest.Wait()
				h.mu.Lock() // some get another role, or none
				for id, v := range h.now {
					if rand.IntN(3) == 0 {
						h.now[id] = &hark.Viewer{IdentityID: id, Grants: pick(roles)}
						for _, changed := range h.watches[v] {
							go changed()
						}
						delete(h.watches, v)
					}
				}
				h.mu.Unlock()
				time.Sleep(time.Second) // of the bubble
				synctest.Wait()
			}
			heard := 0
			for i, p := range pairs {
				got, want := p.shared.text.String(), p.private.text.String()
				if got != want {
					t.Errorf("subscriber %d: shared\n%s\nprivate\n%s", i, got, want)
				}
				heard += strings.Count(got, "\n") - strings.Count(got, "end\n")
			}
			if s := shared.Stats(); heard == 0 || s.Sent != uint64(heard) || s.Sent < 2*s.Executed {
				t.Errorf("%d answers, %+v", heard, s)
			}
			for _, f := range all {
				f.Stop()
			}
			for _, s := range sessions {
				s.Close()
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
