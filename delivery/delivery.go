// Package delivery brings events to their subscribers by callback: when, how often, signed and with which credentials.
package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hark-events/hark"
)

// A Queue holds the deliveries that are due. *store.Store is one.
//
// Its errors are taken for a trouble that passes (the database is away) and the
// call is made again with back-off, except where a method says otherwise.
type Queue interface {
	// Due lists subscriptions with a delivery due now whose circuit lets it
	// through (of an ordered one, the head of its line): at most limit of them,
	// in the order of their ids, the first one behind after. Fewer than limit
	// means that there is none behind those.
	Due(ctx context.Context, after hark.ID, limit int) ([]hark.ID, error)

	// Claim leases due deliveries for lease, for each want the oldest due
	// first. Fewer than Want.N for a subscription means that it has no more.
	// Those that come with an error are leased all the same.
	Claim(ctx context.Context, wants []hark.Want, lease time.Duration) ([]*hark.Delivery, error)

	// Flowing tells which of the subscriptions are active, with a closed circuit.
	Flowing(ctx context.Context, ids []hark.ID) ([]hark.ID, error)

	// Record stores outcomes in one transaction. An attempt whose lease was
	// lost (its delivery's LeasedUntil is no longer the stored one) is dropped.
	Record(ctx context.Context, attempts []*hark.Attempt) error

	// Release gives leases back; the deliveries are due again at once under
	// the same attempt number. Lost leases are skipped.
	Release(ctx context.Context, ds []*hark.Delivery) error

	// Subscription loads what a driver needs, secrets opened, or Lost, which
	// is a failure that is tried again. A *hark.Error NOT_FOUND is final: it
	// makes the delivery a dead letter.
	Subscription(ctx context.Context, id hark.ID) (*hark.Subscription, error)
}

// A Driver makes callbacks of one protocol. Its methods are called by many
// goroutines at a time.
type Driver interface {
	// Check tells whether s could ever be delivered to. It makes no
	// connection. Its error is a *hark.Error BAD_USER_INPUT whose Field is
	// relative to the input, such as "deliveryEndpoint".
	Check(s *hark.Subscription) error

	// Deliver makes one attempt, which ends soon after ctx does. A nil error
	// means that the subscriber acknowledged. Errors are in words for an
	// operator and hold no secret; Permanent and Gone mark those that no retry
	// helps. The Receipt counts with an error as well.
	Deliver(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (Receipt, error)
}

// NoAnswer is the status code of an attempt to which no answer came.
const NoAnswer = -1

// MaxResponseBody is how much of an answer's body is kept, in bytes.
const MaxResponseBody = 4 << 10

// A Receipt is what a subscriber answered.
type Receipt struct {
	StatusCode   int           // HTTP status, gRPC code or WebSocket close code; else NoAnswer
	ResponseBody string        // at most MaxResponseBody
	RetryAfter   time.Duration // no attempt before that; 0: as the schedule says
}

// Drivers are the drivers that there are.
type Drivers map[hark.CallbackProtocol]Driver

// For returns the driver of protocol p, or a Permanent error that lists what exists.
func (ds Drivers) For(p hark.CallbackProtocol) (Driver, error) {
	if d, ok := ds[p]; ok {
		return d, nil
	}
	var names []string
	for _, p := range slices.Sorted(maps.Keys(ds)) {
		names = append(names, string(p))
	}
	return nil, Permanent(fmt.Errorf("no driver for protocol %q: there is %s", p, strings.Join(names, ", ")))
}

// Lease is how long a delivery is leased for an attempt that may take timeout:
// long enough to record its outcome, over a short outage of the database too.
func Lease(timeout time.Duration) time.Duration { return 2 * bounded(timeout) }

func bounded(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return hark.DefaultTimeout
	}
	return min(timeout, hark.MaxTimeout)
}
