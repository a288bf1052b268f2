package events

import (
	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// auditedDefinition is what the audit log tells of a definition.
type auditedDefinition struct {
	Key           string    `json:"key"`
	EventType     *string   `json:"eventType,omitempty"`
	Description   *string   `json:"description,omitempty"`
	PayloadSchema hark.JSON `json:"payloadSchema,omitempty"`
}

// auditedChange is a change as the audit log tells it; nil: there was, or is, none.
type auditedChange struct {
	Before *auditedDefinition `json:"before,omitempty"`
	After  *auditedDefinition `json:"after,omitempty"`
}

func audited(d *ent.EventDefinition) *auditedDefinition {
	if d == nil {
		return nil
	}
	return &auditedDefinition{KindOf(d).String(), d.EventType, d.Description, d.PayloadSchema}
}
