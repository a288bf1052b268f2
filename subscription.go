package hark

import "time"

// Limits and defaults of a subscription.
const (
	MaxEndpoint        = 2048 // characters of Subscription.Endpoint
	DefaultTimeout     = 15 * time.Second
	MaxTimeout         = 60 * time.Second
	DefaultMaxInFlight = 16
)

// A Subscription is a standing order as its driver sees it: where to bring
// events and with which credentials, in the clear. It never leaves the process.
// Many goroutines share one Subscription: nobody changes it.
type Subscription struct {
	ID          ID
	ProjectID   ID
	ProjectSlug string
	Version     int64 // raised by every change
	Active      bool

	Endpoint    string
	Protocol    CallbackProtocol
	Method      RequestMethod // empty: POST
	SOAPVersion SOAPVersion   // empty: 1.1
	PayloadType PayloadType
	Credentials Credentials
	// Why its secrets can't be opened, for an operator: then there are none of
	// them, and each attempt fails with these words. Empty: they are there.
	Lost string

	Signature      SignatureScheme
	SigningSecrets []Secret // "whsec_…", the newest first; those behind it sign until PreviousUntil
	PreviousUntil  Time

	Schedule     []time.Duration // wait after attempt n is Schedule[n-1]; then a dead letter
	Timeout      time.Duration   // of one attempt
	MaxPerSecond int             // attempts started; 0: no limit
	MaxInFlight  int
	Ordered      bool // strictly one after the other, in sequence
}

// Credentials are what a callback proves itself with. Type says which of the
// other fields count.
type Credentials struct {
	Type AuthType

	Username string // BASIC
	Password Secret

	ClientID     string // OAUTH2
	ClientSecret Secret
	TokenURL     string
	Scope        string

	Token Secret // JWT

	HeaderName string // APIKEY
	Key        Secret
}

// An Auth is what of Credentials is no secret: what may be shown, and is kept
// in the clear, so that it can be shown when the key that seals the secrets is
// lost. Type says which of the other fields count.
type Auth struct {
	Type AuthType `json:"type"`

	Username string `json:"username,omitempty"` // BASIC

	ClientID string `json:"clientId,omitempty"` // OAUTH2
	TokenURL string `json:"tokenUrl,omitempty"`
	Scope    string `json:"scope,omitempty"`

	ExpiresAt Time `json:"expiresAt,omitzero"` // JWT: its exp claim; zero: it has none

	HeaderName string `json:"headerName,omitempty"` // APIKEY
}
