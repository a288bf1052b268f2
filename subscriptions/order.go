package subscriptions

import (
	"errors"
	"fmt"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/events"
)

// An order is a subscription as a caller wants it, before it is stored.
type order struct {
	*ent.EventSubscription
	definitions []hark.ID
	credentials *hark.Credentials // nil: those that are stored already stay
}

// orderOf is a subscription as it is stored, to be changed.
func orderOf(row *ent.EventSubscription) *order {
	o := &order{EventSubscription: row}
	for _, d := range row.Edges.EventDefinitions {
		o.definitions = append(o.definitions, d.ID)
	}
	return o
}

// Limits and defaults of what a caller may set.
const (
	maxDefinitions = 100
	maxConditions  = 100
	maxRetries     = 20
	maxRetryWait   = 7 * 24 * 3600 // seconds
	maxPerSecond   = 10_000
	maxInFlight    = 1000
)

// newOrder fills what a caller left out.
func newOrder(in CreateEventSubscriptionInput) *order {
	o := &order{
		EventSubscription: &ent.EventSubscription{
			ID: hark.NewID(), SubscriberService: in.SubscriberService, DeliveryEndpoint: in.DeliveryEndpoint, CallbackProtocol: in.CallbackProtocol,
			RequestMethod: in.RequestMethod, SoapVersion: in.SoapVersion, Active: in.Active, Conditions: in.Conditions,
			TimeoutSeconds: int(hark.DefaultTimeout.Seconds()), MaxPerSecond: in.MaxPerSecond, MaxInFlight: hark.DefaultMaxInFlight,
			HoldWhilePaused: true, AllowOverlap: in.AllowOverlap, Signature: in.Signature,
		},
		definitions: in.EventDefinitionIds, credentials: in.Auth.credentials(),
	}
	for _, wait := range delivery.Schedule {
		o.ScheduleSeconds = append(o.ScheduleSeconds, int(wait.Seconds()))
	}
	if in.RetryPolicy != nil {
		o.ScheduleSeconds = in.RetryPolicy.ScheduleSeconds
	}
	if in.PayloadType != nil {
		o.PayloadType = *in.PayloadType
	} else {
		o.PayloadType = payloadTypes(in.CallbackProtocol)[0]
	}
	set(&o.TimeoutSeconds, in.TimeoutSeconds)
	set(&o.MaxInFlight, in.MaxInFlight)
	set(&o.Ordered, in.Ordered)
	set(&o.HoldWhilePaused, in.HoldWhilePaused)
	o.fill()
	return o
}

// fill sets the defaults of what only one protocol knows.
func (o *order) fill() {
	if o.CallbackProtocol == hark.HTTP && o.RequestMethod == nil {
		o.RequestMethod = new(hark.RequestMethod)
		*o.RequestMethod = hark.Post
	}
	if o.CallbackProtocol == hark.SOAP && o.SoapVersion == nil {
		o.SoapVersion = new(hark.SOAPVersion)
		*o.SoapVersion = hark.SOAP11
	}
}

// change applies what a caller changes.
func (o *order) change(in UpdateEventSubscriptionInput) {
	if in.EventDefinitionIds != nil {
		o.definitions = in.EventDefinitionIds
	}
	set(&o.SubscriberService, in.SubscriberService)
	set(&o.DeliveryEndpoint, in.DeliveryEndpoint)
	if in.CallbackProtocol != nil && *in.CallbackProtocol != o.CallbackProtocol {
		o.CallbackProtocol = *in.CallbackProtocol
		// What only the old protocol knows goes with it.
		o.RequestMethod, o.SoapVersion, o.PayloadType = nil, nil, payloadTypes(o.CallbackProtocol)[0]
	}
	replace(&o.RequestMethod, in.RequestMethod)
	replace(&o.SoapVersion, in.SoapVersion)
	set(&o.Active, in.Active)
	if in.Auth != nil {
		o.credentials = in.Auth.credentials()
	}
	set(&o.PayloadType, in.PayloadType)
	replace(&o.Conditions, in.Conditions)
	if in.RetryPolicy != nil {
		o.ScheduleSeconds = in.RetryPolicy.ScheduleSeconds
	}
	set(&o.TimeoutSeconds, in.TimeoutSeconds)
	replace(&o.MaxPerSecond, in.MaxPerSecond)
	set(&o.MaxInFlight, in.MaxInFlight)
	set(&o.Ordered, in.Ordered)
	set(&o.HoldWhilePaused, in.HoldWhilePaused)
	set(&o.Signature, in.Signature)
	set(&o.AllowOverlap, in.AllowOverlap)
	o.fill()
}

// replace sets what is not left out; null clears.
func replace[T any](to *T, from graphql.Omittable[T]) {
	if v, given := from.ValueOK(); given {
		*to = v
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// payloadTypes lists what a protocol can carry, its default first.
func payloadTypes(p hark.CallbackProtocol) []hark.PayloadType {
	switch p {
	case hark.GRPC:
		return []hark.PayloadType{hark.PayloadProtobuf}
	case hark.SOAP:
		return []hark.PayloadType{hark.PayloadXML}
	case hark.WebSocket:
		return []hark.PayloadType{hark.PayloadJSON, hark.PayloadCloudEvents, hark.PayloadXML}
	}
	return []hark.PayloadType{hark.PayloadJSON, hark.PayloadCloudEvents, hark.PayloadXML}
}

// schemes are those of a protocol's endpoints.
func schemes(p hark.CallbackProtocol) []string {
	switch p {
	case hark.GRPC:
		return []string{"grpc", "grpcs"}
	case hark.WebSocket:
		return []string{"ws", "wss"}
	}
	return []string{"http", "https"}
}

// check tells a person what can't be accepted. It makes no connection.
func (s *Service) check(o *order) error {
	driver, err := s.drivers.For(o.CallbackProtocol)
	if err != nil {
		return hark.BadInput("input.callbackProtocol", "callbacks by %s are not supported yet: use HTTP", o.CallbackProtocol)
	}
	if err := hark.CheckName("input.subscriberService", o.SubscriberService, hark.MaxName); err != nil {
		return err
	}
	if n := len(o.definitions); n == 0 || n > maxDefinitions {
		return hark.BadInput("input.eventDefinitionIds", "%d event definitions; a subscription is for 1 to %d", n, maxDefinitions)
	}
	if o.RequestMethod != nil && o.CallbackProtocol != hark.HTTP {
		return hark.BadInput("input.requestMethod", "only HTTP callbacks have a request method: leave it out")
	}
	if o.SoapVersion != nil && o.CallbackProtocol != hark.SOAP {
		return hark.BadInput("input.soapVersion", "only SOAP callbacks have a SOAP version: leave it out")
	}
	if types := payloadTypes(o.CallbackProtocol); !slices.Contains(types, o.PayloadType) {
		return hark.BadInput("input.payloadType", "%s callbacks can't carry %s; they can carry %v", o.CallbackProtocol, o.PayloadType, types)
	}
	if err := s.conf.CheckURL(o.DeliveryEndpoint, schemes(o.CallbackProtocol)...); err != nil {
		return hark.BadInput("input.deliveryEndpoint", "%v", err)
	}
	if err := o.checkPace(); err != nil {
		return err
	}
	if err := o.checkConditions(); err != nil {
		return err
	}
	return s.checkDriver(o, driver)
}

func (o *order) checkPace() error {
	for _, n := range []struct {
		field          string
		value, maximum int
	}{
		{"timeoutSeconds", o.TimeoutSeconds, int(hark.MaxTimeout.Seconds())},
		{"maxInFlight", o.MaxInFlight, maxInFlight},
		{"maxPerSecond", orOne(o.MaxPerSecond), maxPerSecond},
	} {
		if n.value < 1 || n.value > n.maximum {
			return hark.BadInput("input."+n.field, "%s is between 1 and %d", n.field, n.maximum)
		}
	}
	if len(o.ScheduleSeconds) > maxRetries {
		return hark.BadInput("input.retryPolicy.scheduleSeconds", "%d waits; at most %d are allowed", len(o.ScheduleSeconds), maxRetries)
	}
	for _, wait := range o.ScheduleSeconds {
		if wait < 1 || wait > maxRetryWait {
			return hark.BadInput("input.retryPolicy.scheduleSeconds", "each wait is between 1 and %d seconds", maxRetryWait)
		}
	}
	return nil
}

func (o *order) checkConditions() error {
	if len(o.Conditions) > maxConditions {
		return hark.BadInput("input.conditions", "%d conditions; at most %d are allowed", len(o.Conditions), maxConditions)
	}
	for i, c := range o.Conditions {
		if c.EnvironmentSlug == nil {
			continue
		}
		if err := hark.CheckText(fmt.Sprintf("input.conditions.%d.environmentSlug", i), *c.EnvironmentSlug, hark.MaxName); err != nil {
			return err
		}
	}
	_, err := events.CompileConditions(o.Conditions)
	return within("input", err)
}

// checkDriver asks the driver whether it could ever deliver, and checks the credentials.
func (s *Service) checkDriver(o *order, driver delivery.Driver) error {
	sub := &hark.Subscription{
		ID: o.ID, Endpoint: o.DeliveryEndpoint, Protocol: o.CallbackProtocol, PayloadType: o.PayloadType,
		Signature: o.Signature, SigningSecrets: []hark.Secret{delivery.NewSigningSecret()},
	}
	set(&sub.Method, o.RequestMethod)
	set(&sub.SOAPVersion, o.SoapVersion)
	c := o.credentials
	if c == nil {
		stored, err := s.store.OpenCredentials(o.ID, o.Credentials)
		if err != nil {
			return err
		}
		c = stored
	}
	sub.Credentials = *c
	if err := delivery.CheckCredentials(*c); err != nil {
		return within("input", err)
	}
	if c.Type == hark.OAuth2 {
		if err := s.conf.CheckURL(c.TokenURL, "http", "https"); err != nil {
			return hark.BadInput("input.auth.oauth2.tokenUrl", "%v", err)
		}
	}
	return within("input", driver.Check(sub))
}

// within makes the field of an input error relative to outer.
func within(outer string, err error) error {
	if e, ok := errors.AsType[*hark.Error](err); ok && e.Code == hark.BadUserInput && e.Field != "" {
		inner := *e
		inner.Field = outer + "." + e.Field
		return &inner
	}
	return err
}

func orOne(n *int) int {
	if n == nil {
		return 1
	}
	return *n
}
