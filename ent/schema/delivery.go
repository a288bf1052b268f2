package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/hark-events/hark"
)

// Delivery is the duty to bring one event to one subscription. It has no edges:
// a foreign key would cost every publish a look-up.
type Delivery struct{ ent.Schema }

// Annotations of Delivery.
func (Delivery) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Table("deliveries")}
}

// Fields of Delivery.
func (Delivery) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("id", hark.ID{}).Immutable(),
		field.UUID("project_id", hark.ID{}).Immutable(),
		field.UUID("subscription_id", hark.ID{}).Immutable(),
		field.UUID("event_id", hark.ID{}).Immutable(),
		field.Int64("sequence").Immutable().Comment("The event's."),
		field.String("status").GoType(hark.DeliveryStatus("")),
		field.Bool("test").Default(false).Immutable(),
		field.Int("attempt_count").Default(0),
		field.Int("schedule_start").Default(0).Comment("Attempts made before its schedule last began anew."),
		field.Int64("next_attempt_at").GoType(hark.Time(0)).Default(0),
		field.Int64("leased_until").GoType(hark.Time(0)).Default(0),
		field.String("last_error").Default(""),
		field.String("discard_reason").Default(""),
		field.Int64("created_at").GoType(hark.Time(0)).Immutable(),
		field.Int64("updated_at").GoType(hark.Time(0)).UpdateDefault(hark.Now),
	}
}

// Indexes of Delivery. Those of the queue are partial, so that their size is
// the work that waits, not the work that was ever done.
func (Delivery) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("subscription_id", "next_attempt_at", "sequence").StorageKey("deliveries_due").
			Annotations(entsql.IndexWhere("status IN ('PENDING', 'HELD')")),
		index.Fields("subscription_id", "sequence").StorageKey("deliveries_line").
			Annotations(entsql.IndexWhere("status IN ('PENDING', 'HELD', 'IN_PROGRESS')")),
		index.Fields("leased_until").StorageKey("deliveries_leased").
			Annotations(entsql.IndexWhere("status = 'IN_PROGRESS'")),
		index.Fields("updated_at").StorageKey("deliveries_finished").
			Annotations(entsql.IndexWhere("status IN ('SUCCEEDED', 'FAILED', 'DISCARDED')")),
		index.Fields("subscription_id", "id"),
		index.Fields("project_id", "id"),
		index.Fields("event_id"),
	}
}
