// Package schema declares hark's entities, one to a file.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/mixin"

	"github.com/hark-events/hark"
)

// ID gives an entity a UUIDv7, so that ordering by id is ordering by birth.
type ID struct{ mixin.Schema }

// Fields of ID.
func (ID) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("id", hark.ID{}).Default(hark.NewID).Immutable(),
	}
}

// Times gives an entity the times of its birth and its last change.
type Times struct{ mixin.Schema }

// Fields of Times.
func (Times) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("created_at").GoType(hark.Time(0)).DefaultFunc(hark.Now).Immutable(),
		field.Int64("updated_at").GoType(hark.Time(0)).DefaultFunc(hark.Now).UpdateDefault(hark.Now),
	}
}
