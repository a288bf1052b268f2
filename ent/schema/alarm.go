package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"github.com/hark-events/hark"
)

// Alarm is an event about hark itself that is to be published. It is written
// with the change that it tells of, and deleted once it is in the log.
type Alarm struct{ ent.Schema }

// Mixin of Alarm.
func (Alarm) Mixin() []ent.Mixin { return []ent.Mixin{ID{}} }

// Fields of Alarm.
func (Alarm) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("project_id", hark.ID{}).Immutable(),
		field.String("resource_type").Immutable(),
		field.String("operation_type").Immutable(),
		field.Bytes("payload").GoType(hark.JSON(nil)).Immutable(),
		field.Int64("occurred_at").GoType(hark.Time(0)).DefaultFunc(hark.Now).Immutable(),
	}
}
