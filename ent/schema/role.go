package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/hark-events/hark"
)

// Role is a named set of rules, of one project or of all.
type Role struct{ ent.Schema }

// Mixin of Role.
func (Role) Mixin() []ent.Mixin { return []ent.Mixin{ID{}} }

// Fields of Role.
func (Role) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().MaxRuneLen(hark.MaxName),
		field.UUID("project_id", hark.ID{}).Optional().Nillable().Immutable(),
		field.JSON("rules", []*hark.Rule{}),
		field.Bool("built_in").Default(false).Immutable(),
		field.Int64("created_at").GoType(hark.Time(0)).DefaultFunc(hark.Now).Immutable(),
	}
}

// Edges of Role.
func (Role) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("project", Project.Type).Field("project_id").Unique().Immutable(),
		edge.From("grants", RoleGrant.Type).Ref("role"),
	}
}

// Indexes of Role.
func (Role) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("project_id", "name").Unique(),
		index.Fields("name").Unique().Annotations(entsql.IndexWhere("project_id IS NULL")),
	}
}
