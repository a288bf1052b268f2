package pubsub

import (
	"context"

	"github.com/hark-events/hark"
)

// A Broker carries committed events between nodes. It announces; the database
// is the truth.
//
// What it promises: the events of one Publish reach a subscription in order, and
// so do successive Publishes of one node for one project. What it does not
// promise: an announcement may be lost or repeated, one Publish may arrive in
// several pieces, and announcements of different nodes arrive in any order.
// Whoever needs every event looks at the sequences and reads what is missing
// from the database.
//
// All methods may be called by many goroutines at once.
type Broker interface {
	// Publish announces events of one project, in ascending sequence, after
	// their commit. It neither blocks on the network nor fails. Nobody may
	// change the events or the slice afterwards.
	//
	// Subscriptions of this node have been handed the events when it returns.
	Publish(project hark.ID, events []*hark.Event)

	// Subscribe hands a project's announcements to handle, one call at a time.
	// It does not wait for the network. handle must be quick, must not change
	// what it is given, and must not call cancel.
	//
	// A call without events says that announcements may have been lost up to
	// now: the network has just begun, or begun again, to listen.
	//
	// When cancel returns, handle is not running and will not be called again.
	Subscribe(project hark.ID, handle func([]*hark.Event)) (cancel func())

	// Ping tells whether announcements can reach other nodes at present.
	Ping(ctx context.Context) error

	// Close ends all subscriptions and gives announcements that still wait a
	// second to leave. It takes up to 5 s while the network hangs. Closing twice
	// is closing once.
	Close() error
}
