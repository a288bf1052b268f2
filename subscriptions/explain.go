package subscriptions

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/deliveryattempt"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/store"
)

// An ExplanationOutcome is why an event was sent to a subscription, or was not.
type ExplanationOutcome string

// The outcomes of Explain.
const (
	Matched           ExplanationOutcome = "MATCHED"
	NotThisDefinition ExplanationOutcome = "NOT_THIS_DEFINITION"
	OtherConditions   ExplanationOutcome = "CONDITIONS"
	BeforeCreation    ExplanationOutcome = "BEFORE_CREATION"
	WasPaused         ExplanationOutcome = "PAUSED"
	WasDisabled       ExplanationOutcome = "DISABLED"
	WasDiscarded      ExplanationOutcome = "DISCARDED"
	CircuitOpen       ExplanationOutcome = "CIRCUIT_OPEN"
	OwnerNotPermitted ExplanationOutcome = "OWNER_NOT_PERMITTED"
)

// An Explanation is the answer of Explain.
type Explanation struct {
	Outcome  ExplanationOutcome
	Detail   string // one sentence for a person
	Delivery *ent.Delivery
}

// Explain tells why an event was sent to a subscription, or the first reason
// why it was not. NOT_FOUND when the caller may not read the event.
func (s *Service) Explain(ctx context.Context, row *ent.EventSubscription, eventID hark.ID) (*Explanation, error) {
	e, err := s.event(ctx, row.ProjectID, eventID)
	if err != nil {
		return nil, err
	}
	d, err := s.store.Ent().Delivery.Query().Where(delivery.SubscriptionID(row.ID), delivery.EventID(eventID)).Only(ctx)
	if err == nil {
		x := explainDelivery(row, d)
		if x.Outcome == CircuitOpen {
			x.Detail += s.lastFailure(ctx, row)
		}
		return x, nil
	}
	if !ent.IsNotFound(err) {
		return nil, err
	}
	wanted := false
	for _, def := range row.Edges.EventDefinitions {
		wanted = wanted || def.ID == e.DefinitionID
	}
	if !wanted {
		return &Explanation{Outcome: NotThisDefinition, Detail: fmt.Sprintf("The event is a %s, which the subscription does not ask for.", e.Kind)}, nil
	}
	conditions, err := events.CompileConditions(row.Conditions)
	if err != nil {
		return nil, err
	}
	if !events.Wants(conditions, e) {
		return &Explanation{Outcome: OtherConditions, Detail: fmt.Sprintf("None of the conditions lets environment %q, path %q pass.", e.Environment, e.Path)}, nil
	}
	return &Explanation{
		Outcome: BeforeCreation,
		Detail:  fmt.Sprintf("The event was published at %s, before the subscription asked for it (created %s, changed %s).", e.PublishedAt, row.CreatedAt, row.UpdatedAt),
	}, nil
}

// event finds a retained event of a project that the caller may read.
func (s *Service) event(ctx context.Context, project, id hark.ID) (*hark.Event, error) {
	allows, err := s.authority.Permitted(ctx, hark.ReadEvents, project)
	if err != nil {
		return nil, err
	}
	found, err := s.store.Events(ctx, []hark.ID{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || found[0].ProjectID != project || !allows(found[0]) {
		return nil, hark.Errorf(hark.NotFound, "no such event")
	}
	return found[0], nil
}

// lastFailure is what the last attempt that failed tells of an open circuit;
// empty when it is no longer on record.
func (s *Service) lastFailure(ctx context.Context, row *ent.EventSubscription) string {
	a, err := s.store.Ent().DeliveryAttempt.Query().Where(deliveryattempt.SubscriptionID(row.ID), deliveryattempt.ErrorNEQ("")).
		Order(deliveryattempt.ByStartedAt(sql.OrderDesc())).First(ctx)
	if err != nil {
		return ""
	}
	return " The last failure: " + a.Error + "."
}

func explainDelivery(row *ent.EventSubscription, d *ent.Delivery) *Explanation {
	x := &Explanation{Delivery: d}
	// Where many wait, not each row says rightly which of both it is: see store.Hold.
	waits := d.Status == hark.Held || d.Status == hark.Pending
	switch {
	case d.Status == hark.Discarded && d.DiscardReason == "paused" && row.DisabledAt != 0 && d.CreatedAt >= row.DisabledAt:
		x.Outcome, x.Detail = WasDisabled, "The event matched while the subscription was disabled ("+row.DisabledReason+"), and the subscription does not hold events then."
	case d.Status == hark.Discarded && d.DiscardReason == "paused": // as store says
		x.Outcome, x.Detail = WasPaused, "The event matched while the subscription was paused, and the subscription does not hold events then."
	case d.Status == hark.Discarded:
		x.Outcome, x.Detail = WasDiscarded, "The event matched; its delivery was discarded: "+d.DiscardReason+"."
	case waits && d.NextAttemptAt == store.Barred:
		x.Outcome, x.Detail = OwnerNotPermitted, "The event matched; its delivery is held, since the identity that created the subscription, "+row.OwnerID.String()+", may not subscribe to the event."
	case waits && row.DisabledAt != 0:
		x.Outcome, x.Detail = WasDisabled, "The event matched; its delivery is held, since the subscription is disabled: "+row.DisabledReason+"."
	case waits && !row.Active:
		x.Outcome, x.Detail = WasPaused, "The event matched; its delivery is held, since the subscription is paused."
	case waits && row.OpenedAt != 0:
		x.Outcome, x.Detail = CircuitOpen, fmt.Sprintf("The event matched; its delivery waits, since the subscription's circuit is open after %d failures in a row. It is probed next at %s.", row.Failures, row.ProbeAt)
	default:
		x.Outcome, x.Detail = Matched, fmt.Sprintf("The event matched; its delivery is %s after %s", d.Status, attempts(d.AttemptCount))
		if d.LastError != "" {
			x.Detail += ", the last one: " + d.LastError
		}
		x.Detail += "."
	}
	return x
}

func attempts(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", n)
}
