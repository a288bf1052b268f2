package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/hark-events/hark"
)

// AuditEntry says who changed what. Entries are only ever added.
type AuditEntry struct{ ent.Schema }

// Mixin of AuditEntry.
func (AuditEntry) Mixin() []ent.Mixin { return []ent.Mixin{ID{}} }

// Fields of AuditEntry.
func (AuditEntry) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("at").GoType(hark.Time(0)).DefaultFunc(hark.Now).Immutable(),
		field.UUID("actor_id", hark.ID{}).Optional().Nillable().Immutable(),
		field.String("action").Immutable(),
		field.String("target").Immutable(),
		field.UUID("project_id", hark.ID{}).Optional().Nillable().Immutable(),
		field.String("address").Default("").Immutable().Comment("Where the request came from."),
		field.String("user_agent").Default("").Immutable(),
		field.Bytes("detail").GoType(hark.JSON(nil)).Optional().Immutable(),
	}
}

// Indexes of AuditEntry.
func (AuditEntry) Indexes() []ent.Index { return []ent.Index{index.Fields("project_id", "id")} }
