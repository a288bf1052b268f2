package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"github.com/hark-events/hark"
)

// Identity is a machine that calls hark.
type Identity struct{ ent.Schema }

// Mixin of Identity.
func (Identity) Mixin() []ent.Mixin { return []ent.Mixin{ID{}} }

// Fields of Identity.
func (Identity) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().MaxRuneLen(hark.MaxName),
		field.Int64("created_at").GoType(hark.Time(0)).DefaultFunc(hark.Now).Immutable(),
		field.Int64("last_used_at").GoType(hark.Time(0)).Default(0),
		field.Int("login_failures").Default(0).Comment("Wrong client secrets in a row."),
		field.Int64("login_failed_at").GoType(hark.Time(0)).Default(0).Comment("When the last one was tried."),
		field.JSON("issued_roles", []string{}).Optional().Comment("What the identity provider's last token said, as its claim does."),
		field.Int64("issued_until").GoType(hark.Time(0)).Default(0).Comment("When that token ends; 0: there was none."),
	}
}

// Edges of Identity.
func (Identity) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("grants", RoleGrant.Type),
		edge.To("tokens", AccessToken.Type),
		edge.To("client_secrets", ClientSecret.Type),
	}
}
