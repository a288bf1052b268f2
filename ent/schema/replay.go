package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/hark-events/hark"
)

// Replay is an order to make deliveries of a subscription again, and how far it
// has come.
type Replay struct{ ent.Schema }

// Mixin of Replay.
func (Replay) Mixin() []ent.Mixin { return []ent.Mixin{ID{}, Times{}} }

// Fields of Replay.
func (Replay) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("project_id", hark.ID{}).Immutable(),
		field.UUID("subscription_id", hark.ID{}).Immutable(),
		field.Int64("since").GoType(hark.Time(0)).Immutable(),
		field.Int64("until").GoType(hark.Time(0)).Immutable().Comment("Never after its birth: what it made due is not made again."),
		field.JSON("statuses", []hark.DeliveryStatus{}).Immutable(),
		field.UUID("behind", hark.ID{}).Comment("The last delivery that was looked at."),
		field.Bool("done").Default(false),
	}
}

// Indexes of Replay.
func (Replay) Indexes() []ent.Index { return []ent.Index{index.Fields("updated_at")} }
