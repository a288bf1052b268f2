package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/hark-events/hark"
)

// DeliveryAttempt is one try at a delivery, and what came of it.
type DeliveryAttempt struct{ ent.Schema }

// Annotations of DeliveryAttempt.
func (DeliveryAttempt) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Table("delivery_attempts")}
}

// Fields of DeliveryAttempt.
func (DeliveryAttempt) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.UUID("delivery_id", hark.ID{}).Immutable(),
		field.UUID("subscription_id", hark.ID{}).Immutable(),
		field.Int("number").Immutable(),
		field.Int64("started_at").GoType(hark.Time(0)).Immutable(),
		field.Int64("duration_ns").Immutable(),
		field.Int("status_code").Immutable().Comment("-1: no answer came."),
		field.String("response_body").Immutable(),
		field.String("error").Immutable(),
	}
}

// Indexes of DeliveryAttempt.
func (DeliveryAttempt) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("delivery_id", "number"),
		index.Fields("subscription_id", "started_at"),
	}
}
