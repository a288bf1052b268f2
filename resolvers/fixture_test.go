package resolvers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/webhook"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/internal/egress"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/resolvers"
	"github.com/hark-events/hark/server"
	"github.com/hark-events/hark/server/limit"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/stream"
	"github.com/hark-events/hark/subscriptions"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// An authority is access in the words of the other rooms, as the command wires it.
type authority struct{ *access.Access }

func (a authority) Require(ctx context.Context, action hark.Action, project hark.ID) error {
	_, _, err := a.Access.Require(ctx, action, project)
	return err
}

func (a authority) RequireGlobal(ctx context.Context, action hark.Action) error {
	_, _, err := a.Access.RequireGlobal(ctx, action)
	return err
}

func (a authority) RequireSome(ctx context.Context, action hark.Action) error {
	if all, ids, err := a.Projects(ctx, action); err != nil || all || len(ids) > 0 {
		return err
	}
	return hark.Errorf(hark.Forbidden, "no role of yours allows it")
}

func (a authority) Projects(ctx context.Context, action hark.Action) (all bool, ids []hark.ID, err error) {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return false, nil, err
	}
	all, ids = a.Access.Projects(v, action)
	return all, ids, nil
}

func (a authority) Permitted(ctx context.Context, action hark.Action, project hark.ID) (func(*hark.Event) bool, error) {
	_, rules, err := a.Access.Require(ctx, action, project)
	if err != nil {
		return nil, err
	}
	return func(e *hark.Event) bool { return rules.Allows(action, e) }, nil
}

func (a authority) Subscribable(ctx context.Context, project hark.ID, _ []hark.Registration) (func(*hark.Event) bool, any, error) {
	allows, err := a.Permitted(ctx, hark.SubscribeEvents, project)
	return allows, nil, err
}

func (a authority) Owners(ctx context.Context, project hark.ID, owners []hark.ID) (map[hark.ID]func(*hark.Event) bool, error) {
	rules, err := a.Access.Owners(ctx, project, owners)
	may := make(map[hark.ID]func(*hark.Event) bool, len(rules))
	for id, r := range rules {
		may[id] = func(e *hark.Event) bool { return r.Allows(hark.SubscribeEvents, e) }
	}
	return may, err
}

func (authority) Audit(ctx context.Context, tx *ent.Tx, action, target string, project *hark.ID, detail any) error {
	return access.Audit(ctx, tx, action, target, project, detail)
}

func (a authority) MayIntrospect(ctx context.Context) bool {
	return a.RequireSome(ctx, hark.ReadAccess) == nil
}

// A house is one node over a database, asked through its handler.
type house struct {
	*httptest.Server
	t      *testing.T
	store  *store.Store
	admin  string // a token of the admin
	sink   *httptest.Server
	status int // what the subscriber answers

	mu   sync.Mutex
	used map[string]bool // root fields that were asked for
}

func build(t *testing.T, st *store.Store) *house {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	h := &house{t: t, store: st, status: http.StatusOK, used: map[string]bool{}}
	h.sink = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(h.status) }))
	t.Cleanup(h.sink.Close)
	acc := access.New(st, log, access.Config{})
	token, err := acc.EnsureAdmin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	h.admin = token.Reveal()
	policy, err := egress.NewPolicy([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	client := policy.Client(nil)
	t.Cleanup(client.CloseIdleConnections)
	drivers := delivery.Drivers{hark.HTTP: webhook.New(client, delivery.NewAuthorizer(client), delivery.Signer{}, "hark/test")}
	worker := delivery.NewWorker(st, drivers, log, delivery.Config{})
	broker := pubsub.NewLocal()
	hub := stream.NewHub(st, broker, log, stream.Config{})
	may := authority{acc}
	catalog := events.NewCatalog(st)
	resolver := &resolvers.Resolver{
		Access: acc, Catalog: catalog, Definitions: events.NewDefinitions(st, catalog, may), Log: events.NewLog(st, may), Store: st,
		Publisher:     events.NewPublisher(st, catalog, may, broker, log, events.Config{Retention: time.Hour, Starter: worker}),
		Listener:      stream.NewListener(hub, may, store.DefaultProjectID()),
		Subscriptions: subscriptions.New(st, may, drivers, log, subscriptions.Config{CheckURL: policy.CheckURL, Wake: worker.Wake}),
	}
	srv := server.New(server.Config{
		Schema: graph.NewExecutableSchema(graph.Config{Resolvers: resolver, Complexity: operation.Complexity()}),
		Access: limit.Access{Tokens: acc, Limiter: limit.New(limit.Config{})}, Guard: may, Introspection: true, Log: log, Playground: http.NotFoundHandler(), Metrics: http.NotFoundHandler(),
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var jobs sync.WaitGroup
	for _, run := range []func(context.Context) error{acc.Run, hub.Run, worker.Run} {
		jobs.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	h.Server = httptest.NewServer(srv)
	t.Cleanup(func() {
		srv.Drain()
		h.Close()
		cancel()
		jobs.Wait()
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// An answer is what GraphQL answers.
type answer struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
}

// code and field are those of the first error, empty when there is none.
func (a answer) code() (code, field string) {
	if len(a.Errors) == 0 {
		return "", ""
	}
	code, _ = a.Errors[0].Extensions["code"].(string)
	field, _ = a.Errors[0].Extensions["field"].(string)
	return code, field
}

// ask sends an operation with a token. Variables come as name, value, name, value …
func (h *house) ask(token, query string, variables ...any) answer {
	h.t.Helper()
	resp := h.send(token, "application/json", query, variables...)
	defer func() { _ = resp.Body.Close() }()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		h.t.Fatalf("%s: %v", query, err)
	}
	return a
}

func (h *house) send(token, accept, query string, variables ...any) *http.Response {
	h.t.Helper()
	h.note(query)
	vars := map[string]any{}
	for i := 0; i < len(variables); i += 2 {
		vars[variables[i].(string)] = variables[i+1]
	}
	body, err := json.Marshal(map[string]any{"query": query, "variables": vars})
	if err != nil {
		h.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := h.Client().Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp
}

// note keeps which root fields a document asks for.
func (h *house) note(query string) {
	doc, err := parser.ParseQuery(&ast.Source{Input: query})
	if err != nil {
		h.t.Fatalf("%s: %v", query, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range doc.Operations {
		for _, s := range op.SelectionSet {
			if f, ok := s.(*ast.Field); ok {
				h.used[string(op.Operation)+"."+f.Name] = true
			}
		}
	}
}

// do asks as the admin and gives what is at path in the data, such as "project.id".
func (h *house) do(path, query string, variables ...any) any {
	h.t.Helper()
	a := h.ask(h.admin, query, variables...)
	if len(a.Errors) > 0 {
		h.t.Fatalf("%s: %+v", query, a.Errors)
	}
	return at(h.t, a.Data, path)
}

// id is do for a string.
func (h *house) id(path, query string, variables ...any) string {
	h.t.Helper()
	s, ok := h.do(path, query, variables...).(string)
	if !ok {
		h.t.Fatalf("%s: no text at %s", query, path)
	}
	return s
}

// refused asks as the admin for what is refused with a code and a field.
func (h *house) refused(code, field, query string, variables ...any) {
	h.t.Helper()
	a := h.ask(h.admin, query, variables...)
	if c, f := a.code(); c != code || f != field {
		h.t.Errorf("%s: %s at %q, want %s at %q: %+v", query, c, f, code, field, a.Errors)
	}
}

// at walks into decoded JSON by keys.
func at(t *testing.T, v any, path string) any {
	t.Helper()
	for key := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if list, isList := v.([]any); isList && len(list) > 0 && key == "0" {
			v = list[0]
			continue
		}
		if !ok {
			t.Fatalf("there is no %s (in %s) in %v", key, path, v)
		}
		v = object[key]
	}
	return v
}

// frames gives the data of a stream's frames, one by one.
func frames(body io.Reader) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		var all []byte
		buf := make([]byte, 4096)
		for {
			n, err := body.Read(buf)
			all = append(all, buf[:n]...)
			for {
				line, rest, found := bytes.Cut(all, []byte("\n"))
				if !found {
					break
				}
				all = rest
				if data, ok := strings.CutPrefix(string(line), "data: "); ok && strings.Contains(data, "{") {
					out <- data
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}
