package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/hark-events/hark"
)

// EventDefinition is a kind of event. A deleted one stays, out of sight, for
// the events that are of its kind.
type EventDefinition struct{ ent.Schema }

// Mixin of EventDefinition.
func (EventDefinition) Mixin() []ent.Mixin { return []ent.Mixin{ID{}, Times{}} }

// Fields of EventDefinition.
func (EventDefinition) Fields() []ent.Field {
	return []ent.Field{
		field.String("source_service").NotEmpty().MaxRuneLen(hark.MaxDefinitionKey),
		field.String("resource_type").NotEmpty().MaxRuneLen(hark.MaxDefinitionKey),
		field.String("operation_type").NotEmpty().MaxRuneLen(hark.MaxDefinitionKey),
		field.String("event_type").Optional().Nillable().MaxRuneLen(hark.MaxName),
		field.String("description").Optional().Nillable().MaxRuneLen(4096),
		field.Bytes("payload_schema").GoType(hark.JSON(nil)).Optional().MaxLen(64 << 10),
		field.Int64("deleted_at").GoType(hark.Time(0)).Default(0),
	}
}

// Edges of EventDefinition.
func (EventDefinition) Edges() []ent.Edge {
	return []ent.Edge{edge.From("subscriptions", EventSubscription.Type).Ref("event_definitions")}
}

// Indexes of EventDefinition.
func (EventDefinition) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("source_service", "resource_type", "operation_type").Unique().
			Annotations(entsql.IndexWhere("deleted_at = 0")),
	}
}
