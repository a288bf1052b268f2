package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"github.com/hark-events/hark"
)

// EventLog is the counter row of a project's log. Every transaction that publishes
// into a project, or changes what its publishes match, takes this row first.
type EventLog struct{ ent.Schema }

// Fields of EventLog.
func (EventLog) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("id", hark.ID{}).Immutable().Comment("The project's id."),
		field.Int64("last_sequence").Default(0),
		field.Int64("trimmed_sequence").Default(0).Comment("Retention has taken all events up to here."),
		field.Int64("version").Default(0).Comment("Raised by every change of the project's subscriptions."),
	}
}
