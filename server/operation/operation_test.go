package operation_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/stream"
)

// A lastEvent is a stream whose reader goes while it is given its first event.
type lastEvent struct{ gone context.CancelFunc }

func (s lastEvent) Next(context.Context) (*hark.Event, error) {
	s.gone()
	return &hark.Event{}, nil
}
func (lastEvent) Cursor() hark.Cursor { return hark.Cursor{} }
func (lastEvent) Close()              {}

// resolvers resolve projectEvents alone.
type resolvers struct {
	graph.ResolverRoot
	graph.SubscriptionResolver
	source lastEvent
}

func (r resolvers) Subscription() graph.SubscriptionResolver { return r }

func (r resolvers) ProjectEvents(ctx context.Context, _ hark.ProjectEventsFilter, _ *string) (<-chan *hark.Event, error) {
	feed, _ := stream.FeedFrom(ctx)
	return feed.Bind(r.source), nil
}

type anyone struct{}

func (anyone) CheckField(context.Context, string) error { return nil }
func (anyone) MayIntrospect(context.Context) bool       { return true }

// gqlgen may notice that ctx has ended before it notices the event, and then
// answers nothing: which of the two is chance, hence the number of tries.
func TestReaderThatGoesDuringAnEvent(t *testing.T) {
	t.Parallel()
	viewer := &hark.Viewer{}
	for range 50 {
		ctx, cancel := context.WithCancel(hark.WithViewer(t.Context(), viewer))
		schema := graph.NewExecutableSchema(graph.Config{Resolvers: resolvers{source: lastEvent{cancel}}, Complexity: operation.Complexity()})
		e := operation.NewExecutor(schema, anyone{}, true, slog.New(slog.DiscardHandler))
		op, err := e.Prepare(ctx, operation.Request{Query: "subscription { projectEvents(filter: {}) { id } }"})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for range op.Answers(ctx, authority.NewSession(nil, viewer)) {
			n++
		}
		if n > 1 {
			t.Fatalf("%d answers to one event", n)
		}
		cancel()
	}
}
