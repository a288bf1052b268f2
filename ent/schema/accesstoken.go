package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"github.com/hark-events/hark"
)

// AccessToken lets its bearer act as an identity. The token itself is not kept, only its hash.
type AccessToken struct{ ent.Schema }

// Mixin of AccessToken.
func (AccessToken) Mixin() []ent.Mixin { return []ent.Mixin{ID{}} }

// Fields of AccessToken.
func (AccessToken) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("identity_id", hark.ID{}).Immutable(),
		field.Bytes("hash").Sensitive().Unique().MaxLen(32).Comment("SHA-256 of the token."),
		field.Int64("created_at").GoType(hark.Time(0)).DefaultFunc(hark.Now).Immutable(),
		field.Int64("expires_at").GoType(hark.Time(0)).Default(0).Comment("0: never."),
		field.Int64("revoked_at").GoType(hark.Time(0)).Default(0),
		field.Int64("last_used_at").GoType(hark.Time(0)).Default(0),
	}
}

// Edges of AccessToken.
func (AccessToken) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("identity", Identity.Type).Ref("tokens").Field("identity_id").Unique().Required().Immutable(),
	}
}
