package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"github.com/hark-events/hark"
)

// SigningKey is the Ed25519 key with which hark signs callbacks. There is one.
type SigningKey struct{ ent.Schema }

// Fields of SigningKey.
func (SigningKey) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("id", hark.ID{}).Immutable(),
		field.Bytes("public_key").Immutable(),
		field.Bytes("private_key").Sensitive().Comment("Sealed: the seed, 32 bytes."),
		field.Int64("created_at").GoType(hark.Time(0)).DefaultFunc(hark.Now).Immutable(),
	}
}
