package resolvers

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/graph"
)

func (r mutationResolver) CreateEventDefinition(ctx context.Context, input events.EventDefinitionInput) (*ent.EventDefinition, error) {
	return r.Definitions.Create(ctx, input)
}

func (r mutationResolver) UpdateEventDefinition(ctx context.Context, id hark.ID, input events.EventDefinitionInput) (*ent.EventDefinition, error) {
	return r.Definitions.Update(ctx, id, input)
}

func (r mutationResolver) DeleteEventDefinition(ctx context.Context, id hark.ID) (hark.ID, error) {
	return id, r.Definitions.Delete(ctx, id)
}

func (r queryResolver) EventDefinition(ctx context.Context, id hark.ID) (*ent.EventDefinition, error) {
	return r.Definitions.Get(ctx, id)
}

func (r queryResolver) EventDefinitions(ctx context.Context, filter *events.EventDefinitionFilter, first *int, after *string) (*graph.EventDefinitionConnection, error) {
	list, err := r.Definitions.List(ctx, filter, first, after)
	return definitionConnection(ctx, list, after, err)
}

func (r eventDefinitionResolver) Key(_ context.Context, d *ent.EventDefinition) (string, error) {
	return events.KindOf(d).String(), nil
}
