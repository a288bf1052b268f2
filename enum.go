package hark

// A CallbackProtocol is how a callback reaches its subscriber.
type CallbackProtocol string

// The callback protocols.
const (
	HTTP      CallbackProtocol = "HTTP"
	GRPC      CallbackProtocol = "GRPC"
	SOAP      CallbackProtocol = "SOAP"
	WebSocket CallbackProtocol = "WEBSOCKET"
)

// A RequestMethod is the method of an HTTP callback.
type RequestMethod string

// The request methods. Empty means POST.
const (
	Post  RequestMethod = "POST"
	Put   RequestMethod = "PUT"
	Patch RequestMethod = "PATCH"
)

// A SOAPVersion is the version of SOAP callbacks.
type SOAPVersion string

// The SOAP versions. Empty means 1.1.
const (
	SOAP11 SOAPVersion = "V1_1"
	SOAP12 SOAPVersion = "V1_2"
)

// A SignatureScheme is how callbacks are signed, as in Standard Webhooks.
type SignatureScheme string

// The signature schemes: v1 with a shared secret, v1a with hark's key.
const (
	HMACSHA256 SignatureScheme = "HMAC_SHA256"
	Ed25519    SignatureScheme = "ED25519"
)

// An AuthType is the kind of credentials of a subscription.
type AuthType string

// The kinds of credentials.
const (
	Basic  AuthType = "BASIC"
	OAuth2 AuthType = "OAUTH2"
	JWT    AuthType = "JWT"
	APIKey AuthType = "APIKEY"
)

// A PayloadType is the form of a callback's body.
type PayloadType string

// The payload types.
const (
	PayloadJSON        PayloadType = "JSON"
	PayloadCloudEvents PayloadType = "CLOUDEVENTS"
	PayloadXML         PayloadType = "XML"
	PayloadProtobuf    PayloadType = "PROTOBUF"
)

// A DeliveryStatus is the state of a delivery.
type DeliveryStatus string

// The states of a delivery.
const (
	Pending    DeliveryStatus = "PENDING"     // due now or at its next attempt
	InProgress DeliveryStatus = "IN_PROGRESS" // leased by a worker
	Succeeded  DeliveryStatus = "SUCCEEDED"
	Failed     DeliveryStatus = "FAILED" // the dead letters
	Held       DeliveryStatus = "HELD"   // matched while paused, kept
	Discarded  DeliveryStatus = "DISCARDED"
)

// A Backlog is what becomes of held deliveries when a subscription resumes.
type Backlog string

// The ways to treat a backlog.
const (
	Deliver Backlog = "DELIVER"
	Discard Backlog = "DISCARD"
)

// A SubscriptionHealth is how a subscription fares.
type SubscriptionHealth string

// The states of health.
const (
	Healthy  SubscriptionHealth = "HEALTHY"
	Failing  SubscriptionHealth = "FAILING" // from the first failed attempt until a success
	Open     SubscriptionHealth = "OPEN"    // the circuit is open: attempts wait
	Disabled SubscriptionHealth = "DISABLED"
	Paused   SubscriptionHealth = "PAUSED"
)

// An Action is what a rule allows or denies.
type Action string

// The actions.
const (
	ReadEvents             Action = "READ_EVENTS"
	SubscribeEvents        Action = "SUBSCRIBE_EVENTS"
	PublishEvents          Action = "PUBLISH_EVENTS"
	ReadEventDefinitions   Action = "READ_EVENT_DEFINITIONS"
	ManageEventDefinitions Action = "MANAGE_EVENT_DEFINITIONS"
	ReadSubscriptions      Action = "READ_SUBSCRIPTIONS"
	ManageSubscriptions    Action = "MANAGE_SUBSCRIPTIONS"
	ManageDeliveries       Action = "MANAGE_DELIVERIES"
	ReadAccess             Action = "READ_ACCESS"
	ManageAccess           Action = "MANAGE_ACCESS"
	ReadAuditLog           Action = "READ_AUDIT_LOG"
)

// Actions lists all actions, in the order of the schema.
func Actions() []Action {
	return []Action{
		ReadEvents, SubscribeEvents, PublishEvents, ReadEventDefinitions, ManageEventDefinitions,
		ReadSubscriptions, ManageSubscriptions, ManageDeliveries, ReadAccess, ManageAccess, ReadAuditLog,
	}
}
