package grpc

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hark-events/hark"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// encode gives the bytes of a message.
func encode(d *hark.Delivery) ([]byte, error) {
	b, err := proto.Marshal(message(d))
	if err != nil {
		return nil, fmt.Errorf("encode the event: %w", err)
	}
	return b, nil
}

func message(d *hark.Delivery) *harkv1.Event {
	e := d.Event
	return &harkv1.Event{
		Id:            e.ID.String(),
		DeliveryId:    d.ID.String(),
		Attempt:       int32(d.Attempt), // a schedule has a few attempts
		Test:          d.Test,
		ProjectId:     e.ProjectID.String(),
		Sequence:      e.Sequence,
		SourceService: e.SourceService,
		ResourceType:  e.ResourceType,
		OperationType: e.OperationType,
		EventType:     e.EventType(),
		Environment:   e.Environment,
		Path:          e.Path,
		Actor:         e.Actor,
		OccurredAt:    timestamp(e.OccurredAt),
		PublishedAt:   timestamp(e.PublishedAt),
		Payload:       payload(e),
	}
}

func payload(e *hark.Event) []byte {
	if len(e.Payload) == 0 {
		return []byte("null")
	}
	return e.Payload
}

func timestamp(t hark.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(time.Unix(0, int64(t)))
}

// codec passes on what encode made, and lets go of what an Ack holds: nothing.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (codec) Unmarshal([]byte, any) error { return nil }
