package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"github.com/hark-events/hark"
)

// ClientSecret lets an identity log in by universal auth. Its client id is the
// identity's id. The secret itself is not kept, only its hash.
type ClientSecret struct{ ent.Schema }

// Mixin of ClientSecret.
func (ClientSecret) Mixin() []ent.Mixin { return []ent.Mixin{ID{}} }

// Fields of ClientSecret.
func (ClientSecret) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("identity_id", hark.ID{}).Immutable(),
		field.Bytes("hash").Sensitive().Unique().MaxLen(32).Comment("SHA-256 of the secret: 256 random bits need no slow hash."),
		field.Int64("created_at").GoType(hark.Time(0)).DefaultFunc(hark.Now).Immutable(),
		field.Int64("expires_at").GoType(hark.Time(0)).Default(0).Comment("0: never."),
		field.Int64("revoked_at").GoType(hark.Time(0)).Default(0),
		field.Int("max_uses").Default(0).Immutable().Comment("0: any number."),
		field.Int("uses").Default(0),
		field.JSON("trusted_cidrs", []string{}).Optional().Immutable().Comment("None: from everywhere."),
	}
}

// Edges of ClientSecret.
func (ClientSecret) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("identity", Identity.Type).Ref("client_secrets").Field("identity_id").Unique().Required().Immutable(),
	}
}
