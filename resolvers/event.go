package resolvers

import (
	"context"
	"errors"
	"strings"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/stream"
	"github.com/hark-events/hark/subscriptions"
)

func (r mutationResolver) PublishEvents(ctx context.Context, input []*hark.NewEvent) (*graph.PublishEventsPayload, error) {
	events, duplicates, err := r.Publisher.Publish(ctx, input)
	if err != nil {
		return nil, err
	}
	return &graph.PublishEventsPayload{Events: events, Duplicates: duplicates}, nil
}

func (r queryResolver) Event(ctx context.Context, id hark.ID) (*hark.Event, error) {
	return r.Log.Get(ctx, id)
}

func (r queryResolver) Events(ctx context.Context, filter hark.ProjectEventsFilter, first *int, after *string) (*graph.EventConnection, error) {
	p, err := r.Log.List(ctx, value(filter.ProjectID), filter.Register, first, after)
	if err != nil {
		return nil, inFilter(err)
	}
	info := &graph.PageInfo{HasNextPage: p.More, HasPreviousPage: after != nil}
	if len(p.Events) > 0 {
		start := p.Events[0].Cursor().String()
		info.StartCursor = &start
	}
	if !p.End.Project.IsZero() {
		end := p.End.String()
		info.EndCursor = &end
	}
	return &graph.EventConnection{
		Nodes: p.Events, PageInfo: info,
		Edges: edges(p.Events, func(e *hark.Event) *graph.EventEdge { return &graph.EventEdge{Node: e, Cursor: e.Cursor().String()} }),
	}, nil
}

// ProjectEvents hands the reader to the transport that executes the operation,
// which pulls one event at a time.
func (r subscriptionResolver) ProjectEvents(ctx context.Context, filter hark.ProjectEventsFilter, after *string) (<-chan *hark.Event, error) {
	feed, ok := stream.FeedFrom(ctx)
	if !ok {
		return nil, hark.Errorf(hark.BadUserInput, "this transport has no streams: use WebSocket or Accept: text/event-stream")
	}
	if feed.After != "" {
		after = &feed.After
	}
	reader, err := r.Listener.Open(ctx, value(filter.ProjectID), filter.Register, after)
	if err != nil {
		return nil, inFilter(err)
	}
	return feed.Bind(reader), nil
}

// inFilter says of an error about registrations where they stand in GraphQL.
func inFilter(err error) error {
	if e, ok := errors.AsType[*hark.Error](err); ok && strings.HasPrefix(e.Field, "register") {
		located := *e
		located.Field = "filter." + e.Field
		return &located
	}
	return err
}

func (r eventResolver) Definition(ctx context.Context, e *hark.Event) (*ent.EventDefinition, error) {
	return r.Catalog.Definition(ctx, e.DefinitionID)
}

func (r eventResolver) Deliveries(ctx context.Context, e *hark.Event, first *int, after *string) (*graph.DeliveryConnection, error) {
	list, err := r.Subscriptions.Deliveries(ctx, &subscriptions.DeliveryFilter{ProjectID: &e.ProjectID, EventID: &e.ID}, first, after)
	return deliveryConnection(list, after, err)
}
