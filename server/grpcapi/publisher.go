package grpcapi

import (
	"context"
	"fmt"
	"log/slog"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hark-events/hark"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
	"github.com/hark-events/hark/server/wire"
)

// publisher is the service hark.v1.EventPublisher.
type publisher struct {
	harkv1.UnimplementedEventPublisherServer
	*Server
}

// Publish stores the events of a request, all or none, and answers after the commit.
func (p *publisher) Publish(ctx context.Context, in *harkv1.PublishRequest) (*harkv1.PublishResponse, error) {
	input := make([]*hark.NewEvent, len(in.GetEvents()))
	for i, e := range in.GetEvents() {
		var err error
		if input[i], err = p.newEvent(ctx, i, e); err != nil {
			return nil, p.fail(ctx, err)
		}
	}
	events, duplicates, err := p.conf.Publisher.Publish(ctx, input)
	if err != nil {
		return nil, p.fail(ctx, err)
	}
	wire.Note(ctx, slog.Int("events", len(events)))
	out := &harkv1.PublishResponse{Events: make([]*harkv1.Published, len(events)), Duplicates: int32(duplicates)}
	for i, e := range events {
		out.Events[i] = &harkv1.Published{Id: e.ID.String(), Sequence: e.Sequence}
	}
	return out, nil
}

func (p *publisher) newEvent(ctx context.Context, i int, e *harkv1.NewEvent) (*hark.NewEvent, error) {
	project, err := p.conf.Projects.ProjectID(ctx, e.GetProjectId())
	if err != nil {
		return nil, err
	}
	at, err := timeOf(e.GetOccurredAt())
	if err != nil {
		return nil, hark.BadInput(fmt.Sprintf("input.%d.occurredAt", i), "%v", err)
	}
	return &hark.NewEvent{
		ProjectID:   project,
		Kind:        hark.Kind{SourceService: e.GetSourceService(), ResourceType: e.GetResourceType(), OperationType: e.GetOperationType()},
		Environment: e.GetEnvironment(), Path: e.GetPath(), Payload: hark.JSON(e.GetPayload()),
		Actor: e.GetActor(), OccurredAt: at, IdempotencyKey: e.GetIdempotencyKey(),
	}, nil
}

func timeOf(t *timestamppb.Timestamp) (hark.Time, error) {
	if t == nil {
		return 0, nil
	}
	at := hark.TimeOf(t.AsTime())
	if !t.IsValid() || at.IsZero() {
		return 0, fmt.Errorf("a time is between the years 1678 and 2261")
	}
	return at, nil
}
