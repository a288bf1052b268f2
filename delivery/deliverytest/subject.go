package deliverytest

import (
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// A Behaviour is how a subscriber of the suite treats every callback.
type Behaviour int

// The behaviours.
const (
	Acknowledges Behaviour = iota
	Fails                  // in a way that a retry may help, with the text "try later"
	Refuses                // for good
	Unauthorized           // acknowledges but what carries the credentials "Bearer token-1"
	Echoes                 // fails and repeats in its text every header it got
	Hangs                  // takes the callback and never answers
	Drips                  // begins to answer a failure and never comes to an end, byte by byte
	Endless                // answers a failure with a text that does not end
	Huge                   // answers a failure and claims a text of 1 GB
	HangsUp                // breaks the connection at the first callback, and acknowledges those after it
)

// A Call is a callback as a subscriber saw it.
type Call struct {
	DeliveryID string
	Header     func(name string) string // or metadata
}

// A Subject is a driver under test, and its counterpart.
type Subject struct {
	Protocol hark.CallbackProtocol

	// Driver makes the driver, which may connect to loopback addresses.
	Driver func(t *testing.T, auth *delivery.Authorizer) delivery.Driver

	// Guarded makes a driver whose address guard refuses loopback addresses,
	// with an error that has the text Refusal.
	Guarded func(t *testing.T, auth *delivery.Authorizer) delivery.Driver
	Refusal string

	// Subscriber starts a subscriber that behaves as told until the test ends,
	// tells saw each callback before it answers, and returns its endpoint. False:
	// the protocol cannot behave so.
	Subscriber func(t *testing.T, b Behaviour, saw func(Call)) (endpoint string, ok bool)

	// Unreachable is an endpoint at which nobody listens.
	Unreachable string
}
