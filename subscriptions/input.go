package subscriptions

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/hark-events/hark"
)

// CreateEventSubscriptionInput is what a caller says of a new subscription.
// Nil means the default.
type CreateEventSubscriptionInput struct {
	ProjectID          *hark.ID
	EventDefinitionIds []hark.ID
	SubscriberService  string
	DeliveryEndpoint   string
	CallbackProtocol   hark.CallbackProtocol
	RequestMethod      *hark.RequestMethod
	SoapVersion        *hark.SOAPVersion
	Active             bool
	Auth               *SubscriptionAuthInput
	PayloadType        *hark.PayloadType
	Conditions         []*hark.Conditions
	RetryPolicy        *RetryPolicyInput
	TimeoutSeconds     *int
	MaxPerSecond       *int
	MaxInFlight        *int
	Ordered            *bool
	HoldWhilePaused    *bool
	Signature          hark.SignatureScheme
	AllowOverlap       bool
}

// UpdateEventSubscriptionInput is what a caller changes of a subscription. Nil
// leaves it as it is; where a field can be cleared, it tells null from left out.
type UpdateEventSubscriptionInput struct {
	EventDefinitionIds []hark.ID
	SubscriberService  *string
	DeliveryEndpoint   *string
	CallbackProtocol   *hark.CallbackProtocol
	RequestMethod      graphql.Omittable[*hark.RequestMethod]
	SoapVersion        graphql.Omittable[*hark.SOAPVersion]
	Active             *bool
	Auth               *SubscriptionAuthInput
	PayloadType        *hark.PayloadType
	Conditions         graphql.Omittable[[]*hark.Conditions]
	RetryPolicy        *RetryPolicyInput
	TimeoutSeconds     *int
	MaxPerSecond       graphql.Omittable[*int]
	MaxInFlight        *int
	Ordered            *bool
	HoldWhilePaused    *bool
	Signature          *hark.SignatureScheme
	AllowOverlap       *bool
}

// redirects tells whether other events go out, or elsewhere.
func (in *UpdateEventSubscriptionInput) redirects() bool {
	return in.EventDefinitionIds != nil || in.DeliveryEndpoint != nil || in.Conditions.IsSet()
}

// RetryPolicyInput is a subscription's own schedule.
type RetryPolicyInput struct{ ScheduleSeconds []int }

// SubscriptionAuthInput is exactly one kind of credentials.
type SubscriptionAuthInput struct {
	Basic  *BasicAuthInput
	Oauth2 *OAuth2AuthInput
	Jwt    *JWTAuthInput
	APIKey *APIKeyAuthInput
}

// BasicAuthInput is a user name and a password.
type BasicAuthInput struct {
	Username string
	Password hark.Secret
}

// OAuth2AuthInput is a client of the client credentials flow.
type OAuth2AuthInput struct {
	ClientID     string
	ClientSecret hark.Secret
	TokenURL     string
	Scope        *string
}

// JWTAuthInput is a fixed bearer token.
type JWTAuthInput struct{ Token hark.Secret }

// APIKeyAuthInput is a key in a header of its own.
type APIKeyAuthInput struct {
	Key        hark.Secret
	HeaderName string
}

// credentials gives the one kind that is set, or nil.
func (in *SubscriptionAuthInput) credentials() *hark.Credentials {
	if in == nil {
		return nil
	}
	var list []*hark.Credentials
	if b := in.Basic; b != nil {
		list = append(list, &hark.Credentials{Type: hark.Basic, Username: b.Username, Password: b.Password})
	}
	if o := in.Oauth2; o != nil {
		c := &hark.Credentials{Type: hark.OAuth2, ClientID: o.ClientID, ClientSecret: o.ClientSecret, TokenURL: o.TokenURL}
		if o.Scope != nil {
			c.Scope = *o.Scope
		}
		list = append(list, c)
	}
	if j := in.Jwt; j != nil {
		list = append(list, &hark.Credentials{Type: hark.JWT, Token: j.Token})
	}
	if k := in.APIKey; k != nil {
		list = append(list, &hark.Credentials{Type: hark.APIKey, Key: k.Key, HeaderName: k.HeaderName})
	}
	if len(list) != 1 {
		return nil
	}
	return list[0]
}

func errAuth() error {
	return hark.BadInput("input.auth", "give exactly one of basic, oauth2, jwt and apiKey")
}
