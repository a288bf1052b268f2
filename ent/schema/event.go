package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/hark-events/hark"
)

// Event is a row of the log. It has no edges: a foreign key would cost every publish a look-up.
// Rows are written by store alone.
type Event struct{ ent.Schema }

// Annotations of Event.
func (Event) Annotations() []schema.Annotation { return []schema.Annotation{entsql.Table("events")} }

// Fields of Event.
func (Event) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("id", hark.ID{}).Immutable(),
		field.UUID("project_id", hark.ID{}).Immutable(),
		field.Int64("sequence").Immutable(),
		field.UUID("definition_id", hark.ID{}).Immutable(),
		field.String("source_service").Immutable(),
		field.String("resource_type").Immutable(),
		field.String("operation_type").Immutable(),
		field.String("environment").Immutable(),
		field.String("path").Immutable(),
		field.Bytes("payload").Immutable(),
		field.String("actor").Immutable(),
		field.Int64("occurred_at").GoType(hark.Time(0)).Immutable(),
		field.Int64("published_at").GoType(hark.Time(0)).Immutable(),
		field.String("idempotency_key").Immutable(),
		field.Bytes("traceparent").Optional().Immutable(), // 25 bytes, as store has them; none: no trace
	}
}

// Indexes of Event.
func (Event) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("project_id", "sequence").Unique(),
		// Not unique: behind the retention window a key may come again.
		index.Fields("project_id", "idempotency_key").Annotations(entsql.IndexWhere("idempotency_key <> ''")),
	}
}
