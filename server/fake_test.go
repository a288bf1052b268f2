package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/server"
	"github.com/hark-events/hark/server/limit"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/projectevents"
	"github.com/hark-events/hark/stream"
	"github.com/hark-events/hark/subscriptions"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The tokens that fakeAccess knows.
const (
	alice = "alice-token"
	bob   = "bob-token" // may ask for nothing but viewer
)

// fakeAccess knows alice, and bob, until they are revoked.
type fakeAccess struct {
	mu      sync.Mutex
	viewers map[string]*hark.Viewer

	watches   map[int]func()
	nextWatch int
}

func newAccess() *fakeAccess {
	return &fakeAccess{
		watches: make(map[int]func()),
		viewers: map[string]*hark.Viewer{
			alice: {IdentityID: hark.NewID(), Name: "alice"},
			bob:   {IdentityID: hark.NewID(), Name: "bob"},
		},
	}
}

func refused() error {
	return &hark.Error{Code: hark.Unauthenticated, Message: "the access token was revoked", Details: map[string]any{"reason": "revoked"}}
}

func (a *fakeAccess) Authenticate(_ context.Context, token string) (*hark.Viewer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v, ok := a.viewers[token]; ok {
		return v, nil
	}
	return nil, refused()
}

func (a *fakeAccess) Reauthorize(ctx context.Context, v *hark.Viewer) (*hark.Viewer, error) {
	return a.Authenticate(ctx, v.Name+"-token")
}

func (a *fakeAccess) Watch(v *hark.Viewer, changed func()) func() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.viewers[v.Name+"-token"] != v { // it was faster
		go changed()
		return func() {}
	}
	a.nextWatch++
	n := a.nextWatch
	a.watches[n] = changed
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.watches, n)
	}
}

func (a *fakeAccess) change(f func(viewers map[string]*hark.Viewer)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(a.viewers)
	for _, changed := range a.watches {
		go changed()
	}
	clear(a.watches)
}

func (a *fakeAccess) CheckField(ctx context.Context, field string) error {
	v, err := hark.ViewerFrom(ctx)
	if err == nil && v.Name == "bob" && field != "Query.viewer" {
		return &hark.Error{Code: hark.Forbidden, Message: "no role allows it", Details: map[string]any{"action": "X"}}
	}
	return err
}

func (a *fakeAccess) MayIntrospect(ctx context.Context) bool {
	v, err := hark.ViewerFrom(ctx)
	return err == nil && v.Name == "alice"
}

func (a *fakeAccess) Login(_ context.Context, id, secret string) (server.Token, error) {
	switch secret {
	case "right":
		return server.Token{AccessToken: alice, ExpiresIn: 7200, MaxTTL: 7200}, nil
	case "often":
		return server.Token{}, &hark.Error{Code: hark.RateLimited, Message: "too many", Details: map[string]any{"retryAfter": 7}}
	}
	return server.Token{}, &hark.Error{Code: hark.Unauthenticated, Message: "wrong", Details: map[string]any{"reason": "invalid_credentials"}}
}

func (a *fakeAccess) Renew(context.Context, string) (server.Token, error) {
	return server.Token{AccessToken: bob, ExpiresIn: 60, MaxTTL: 7200}, nil
}

func (a *fakeAccess) Revoke(_ context.Context, token string) error {
	a.change(func(v map[string]*hark.Viewer) { delete(v, token) })
	return nil
}

// fakeLog is one project's log with live readers. Readers see what kind the viewer's name allows.
type fakeLog struct {
	mu      sync.Mutex
	events  []*hark.Event
	project hark.ID
	opened  []string // the cursors that readers were opened with
	open    int
	waiting []func() // readers that have nothing to read

	draining chan struct{}           // closed: readers end
	watchers chan chan *ent.Delivery // one for each resolver of deliveryChanges
}

func newLog() *fakeLog {
	return &fakeLog{project: hark.NewID(), draining: make(chan struct{}), watchers: make(chan chan *ent.Delivery, 10)}
}

func (l *fakeLog) append(payload string) *hark.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &hark.Event{
		ID: hark.NewID(), ProjectID: l.project, Sequence: int64(len(l.events) + 1), Payload: hark.JSON(payload),
		Kind: hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
	}
	l.events = append(l.events, e)
	l.wake()
	return e
}

// wake wakes the readers that have nothing to read.
func (l *fakeLog) wake() {
	for _, wake := range l.waiting {
		wake()
	}
	l.waiting = nil
}

// drain ends all readers.
func (l *fakeLog) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.draining)
	l.wake()
}

func (l *fakeLog) reader(after string) (*fakeReader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &fakeReader{log: l, at: int64(len(l.events))}
	if after == "expired" {
		e := hark.Errorf(hark.CursorExpired, "too old")
		e.Details = map[string]any{"oldestCursor": hark.Cursor{Project: l.project}.String()}
		return nil, e
	}
	if after != "" {
		c, err := hark.ParseCursor(l.project, after)
		if err != nil {
			return nil, err
		}
		r.at = c.Sequence
	}
	l.opened = append(l.opened, after)
	l.open++
	return r, nil
}

type fakeReader struct {
	log  *fakeLog
	at   int64
	wake func()
}

func (r *fakeReader) OnWake(f func()) { r.wake = f }
func (r *fakeReader) Class() any      { return r.log.project }

func (r *fakeReader) TryNext() (*hark.Event, bool, error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	select {
	case <-r.log.draining:
		return nil, false, stream.ErrDraining
	default:
	}
	if r.at < int64(len(r.log.events)) {
		e := r.log.events[r.at]
		r.at++
		return e, true, nil
	}
	r.log.waiting = append(r.log.waiting, r.wake)
	return nil, false, nil
}

func (r *fakeReader) Cursor() hark.Cursor { return hark.Cursor{Project: r.log.project, Sequence: r.at} }

func (r *fakeReader) Close() {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.log.open--
}

// readers waits until n readers are open.
func (l *fakeLog) readers(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.open == n
	})
}

func (l *fakeLog) OpenProjectEvents(_ context.Context, r projectevents.Request) (projectevents.Reader, error) {
	if r.Project == "nowhere" {
		return nil, hark.Errorf(hark.NotFound, "there is no such project")
	}
	if r.Register[0].Event == "no:such" {
		return nil, hark.BadInput("register.0.event", "no:such is not registered")
	}
	if r.Register[0].Event == "not:yours" {
		return nil, &hark.Error{Code: hark.Forbidden, Message: "not yours", Details: map[string]any{"action": "SUBSCRIBE_EVENTS"}}
	}
	return l.reader(r.After)
}

// fakeRoot answers a few fields; the rest panics, as nil does.
type fakeRoot struct {
	graph.ResolverRoot
	log *fakeLog
}

func (r fakeRoot) Query() graph.QueryResolver               { return fakeQuery{nil, r.log} }
func (r fakeRoot) Mutation() graph.MutationResolver         { return fakeMutation{nil, r.log} }
func (r fakeRoot) Subscription() graph.SubscriptionResolver { return fakeSubscription{nil, r.log} }
func (r fakeRoot) Viewer() graph.ViewerResolver             { return fakeViewer{} }

type fakeViewer struct{ graph.ViewerResolver }

func (fakeViewer) Permissions(context.Context, *hark.Viewer, *hark.ID) ([]hark.Action, error) {
	return []hark.Action{hark.ReadEvents}, nil
}

type fakeQuery struct {
	graph.QueryResolver
	log *fakeLog
}

func (fakeQuery) Viewer(ctx context.Context) (*hark.Viewer, error) { return hark.ViewerFrom(ctx) }

func (q fakeQuery) Event(_ context.Context, id hark.ID) (*hark.Event, error) {
	if id == q.log.project {
		return nil, io.ErrUnexpectedEOF // an internal failure with words of its own
	}
	return nil, hark.Errorf(hark.NotFound, "there is no such event")
}

type fakeMutation struct {
	graph.MutationResolver
	log *fakeLog
}

func (m fakeMutation) PublishEvents(_ context.Context, input []*hark.NewEvent) (*graph.PublishEventsPayload, error) {
	out := &graph.PublishEventsPayload{}
	for _, in := range input {
		out.Events = append(out.Events, m.log.append(string(in.Payload)))
	}
	return out, nil
}

type fakeSubscription struct {
	graph.SubscriptionResolver
	log *fakeLog
}

func (s fakeSubscription) ProjectEvents(ctx context.Context, _ hark.ProjectEventsFilter, after *string) (<-chan *hark.Event, error) {
	feed, ok := stream.FeedFrom(ctx)
	if !ok {
		panic("no feed")
	}
	from := feed.After
	if from == "" && after != nil {
		from = *after
	}
	r, err := s.log.reader(from)
	if err != nil {
		return nil, err
	}
	return feed.Bind(r), nil
}

func (s fakeSubscription) DeliveryChanges(ctx context.Context, _ *subscriptions.DeliveryFilter) (<-chan *ent.Delivery, error) {
	changes := make(chan *ent.Delivery, 1)
	s.log.watchers <- changes
	return changes, nil
}

// fixture is a running server.
type fixture struct {
	*httptest.Server
	server *server.Server
	access *fakeAccess
	log    *fakeLog
	groups *stream.Groups
	lines  *lines
}

// members waits until n subscriptions are live.
func (f *fixture) members(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() bool { return f.groups.Stats().Members == n })
}

// lines keeps what was logged.
type lines struct {
	mu sync.Mutex
	b  []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b...)
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

func start(t *testing.T, edit ...func(*server.Config)) *fixture {
	t.Helper()
	f := &fixture{access: newAccess(), log: newLog(), groups: stream.NewGroups(), lines: &lines{}}
	f.server = f.newServer(edit...)
	f.Server = httptest.NewServer(f.server)
	t.Cleanup(func() {
		f.server.Drain()
		f.Close()
	})
	return f
}

func (f *fixture) newServer(edit ...func(*server.Config)) *server.Server {
	c := server.Config{
		Schema: graph.NewExecutableSchema(graph.Config{Resolvers: fakeRoot{nil, f.log}, Complexity: operation.Complexity()}),
		Groups: f.groups, Access: limit.Access{Tokens: f.access, Limiter: limit.New(limit.Config{})}, Guard: f.access, Tokens: f.access, ProjectEvents: f.log,
		Playground: http.NotFoundHandler(), Metrics: http.NotFoundHandler(),
		Introspection: true, Log: slog.New(slog.NewJSONHandler(f.lines, nil)),
	}
	for _, e := range edit {
		e(&c)
	}
	return server.New(c)
}

// eventually waits for a state that nothing signals.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen")
		}
	}
}
