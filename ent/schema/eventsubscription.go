package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/hark-events/hark"
)

// EventSubscription is a standing order: events of some definitions to one
// endpoint, with credentials.
type EventSubscription struct{ ent.Schema }

// Mixin of EventSubscription.
func (EventSubscription) Mixin() []ent.Mixin { return []ent.Mixin{ID{}, Times{}} }

// Fields of EventSubscription.
func (EventSubscription) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("project_id", hark.ID{}).Immutable(),
		field.UUID("owner_id", hark.ID{}).Immutable().Comment("The identity that created it."),
		field.String("subscriber_service").NotEmpty().MaxRuneLen(hark.MaxName),
		field.String("delivery_endpoint").NotEmpty().MaxRuneLen(hark.MaxEndpoint),
		field.String("callback_protocol").GoType(hark.CallbackProtocol("")),
		field.String("request_method").GoType(hark.RequestMethod("")).Optional().Nillable(),
		field.String("soap_version").GoType(hark.SOAPVersion("")).Optional().Nillable(),
		field.Bool("active").Default(true),
		field.String("payload_type").GoType(hark.PayloadType("")),
		field.JSON("conditions", []*hark.Conditions{}),
		field.JSON("schedule_seconds", []int{}),
		field.Int("timeout_seconds"),
		field.Int("max_per_second").Optional().Nillable(),
		field.Int("max_in_flight"),
		field.Bool("ordered"),
		field.Bool("hold_while_paused"),
		field.Bool("allow_overlap").Default(false).Comment("Whoever set it up wants it beside another one like it."),
		field.String("signature").GoType(hark.SignatureScheme("")),
		field.Int64("version").Default(1).Comment("Raised by every change: an older copy is stale."),

		field.JSON("auth", &hark.Auth{}).Optional().Comment("What of the credentials is no secret; null in rows from before it was kept."),
		field.Bytes("credentials").Sensitive().Comment("Sealed; see internal/seal."),
		field.Bytes("signing_secret").Sensitive().Comment("Sealed."),
		field.Bytes("previous_secret").Sensitive().Optional().Comment("Sealed; signs too until previous_until."),
		field.Int64("previous_until").GoType(hark.Time(0)).Default(0),

		field.Int64("failing_since").GoType(hark.Time(0)).Default(0).Comment("The first failed attempt since the last success."),
		field.Int64("disabled_at").GoType(hark.Time(0)).Default(0).Comment("By the system; see disabled_reason."),
		field.String("disabled_reason").Default(""),

		// The circuit; see store/circuit.go.
		field.Int("failures").Default(0).Comment("Failed attempts in a row."),
		field.Int64("window_start").GoType(hark.Time(0)).Default(0).Comment("The minute in which attempts are counted began with a failure; 0: none."),
		field.Int("window_attempts").Default(0),
		field.Int("window_failures").Default(0),
		field.Int64("opened_at").GoType(hark.Time(0)).Default(0).Comment("0: the circuit is closed."),
		field.Int("probes").Default(0).Comment("Failed ones since then."),
		field.Int64("probe_at").GoType(hark.Time(0)).Default(0).Comment("While the circuit is open, no attempt before."),
		field.Int64("next_start_at").GoType(hark.Time(0)).Default(0).Comment("With max_per_second: no attempt before."),
	}
}

// Edges of EventSubscription.
func (EventSubscription) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("project", Project.Type).Field("project_id").Unique().Required().Immutable(),
		edge.To("event_definitions", EventDefinition.Type),
	}
}

// Indexes of EventSubscription.
func (EventSubscription) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("project_id", "subscriber_service"),
		index.Fields("updated_at"), // for those who watch what changes
	}
}
