package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
)

// Revision counts the changes of one kind of configuration that all projects
// share, so that a node knows when its copy is stale.
type Revision struct{ ent.Schema }

// Fields of Revision.
func (Revision) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").Immutable().Comment("definitions or access."),
		field.Int64("value").Default(0),
	}
}
