package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"github.com/hark-events/hark"
)

// Project separates tenants: each has its own log, subscriptions and grants.
type Project struct{ ent.Schema }

// Mixin of Project.
func (Project) Mixin() []ent.Mixin { return []ent.Mixin{ID{}} }

// Fields of Project.
func (Project) Fields() []ent.Field {
	return []ent.Field{
		field.String("slug").Unique().MaxRuneLen(64).Immutable(),
		field.String("name").NotEmpty().MaxRuneLen(hark.MaxName),
		field.Int64("created_at").GoType(hark.Time(0)).DefaultFunc(hark.Now).Immutable(),
	}
}
