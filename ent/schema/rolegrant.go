package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/hark-events/hark"
)

// RoleGrant gives an identity a role, in one project or in all.
type RoleGrant struct{ ent.Schema }

// Mixin of RoleGrant.
func (RoleGrant) Mixin() []ent.Mixin { return []ent.Mixin{ID{}} }

// Fields of RoleGrant.
func (RoleGrant) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("identity_id", hark.ID{}).Immutable(),
		field.UUID("role_id", hark.ID{}).Immutable(),
		field.UUID("project_id", hark.ID{}).Optional().Nillable().Immutable(),
	}
}

// Edges of RoleGrant.
func (RoleGrant) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("identity", Identity.Type).Ref("grants").Field("identity_id").Unique().Required().Immutable(),
		edge.To("role", Role.Type).Field("role_id").Unique().Required().Immutable(),
		edge.To("project", Project.Type).Field("project_id").Unique().Immutable(),
	}
}

// Indexes of RoleGrant.
func (RoleGrant) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("identity_id", "role_id", "project_id").Unique(),
		index.Fields("identity_id", "role_id").Unique().Annotations(entsql.IndexWhere("project_id IS NULL")),
	}
}
