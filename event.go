package hark

// Limits of an event.
const (
	MaxPayload       = 256 << 10 // bytes of Event.Payload
	MaxPath          = 1024      // characters of Event.Path
	MaxName          = 255       // characters of a name, an environment, an actor, an idempotency key
	MaxPublish       = 1000      // events in one publish
	MaxDefinitionKey = 64        // characters of each part of a definition's key
)

// A Kind is what happened to what: the key of an event definition.
type Kind struct {
	SourceService string // such as "secret-manager"
	ResourceType  string // such as "secret"
	OperationType string // such as "update"
}

// EventType is resourceType:operationType, such as "secret:update".
func (k Kind) EventType() string { return k.ResourceType + ":" + k.OperationType }

// String is the definition's key, such as "secret-manager/secret:update".
func (k Kind) String() string { return k.SourceService + "/" + k.EventType() }

// An Event is one occurrence, immutable, with its place in a project's log.
// Many goroutines share one Event: nobody changes it once it is committed.
type Event struct {
	ID           ID
	ProjectID    ID
	Sequence     int64 // from 1 on, without gap
	DefinitionID ID
	Kind
	Environment    string // empty: none
	Path           string // empty: none
	Payload        JSON   // byte for byte as published
	Actor          string // empty: none
	OccurredAt     Time   // as the publisher says; else PublishedAt
	PublishedAt    Time
	IdempotencyKey string // empty: none
	Traceparent    string // of its publishing, in W3C's form; empty: none
}

// Cursor is the event's position in its project's log.
func (e *Event) Cursor() Cursor { return Cursor{Project: e.ProjectID, Sequence: e.Sequence} }

// EnvironmentOrNil is Environment, nil where there is none.
func (e *Event) EnvironmentOrNil() *string { return orNil(&e.Environment) }

// PathOrNil is Path, nil where there is none.
func (e *Event) PathOrNil() *string { return orNil(&e.Path) }

// ActorOrNil is Actor, nil where there is none.
func (e *Event) ActorOrNil() *string { return orNil(&e.Actor) }

func orNil(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}

// A NewEvent is what a publisher sends in.
type NewEvent struct {
	ProjectID ID // zero: the project named "default"
	Kind
	Environment    string
	Path           string // starts with '/', or is empty
	Payload        JSON
	Actor          string
	OccurredAt     Time // zero: when it is published
	IdempotencyKey string
}
