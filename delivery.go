package hark

import "time"

// A Delivery is the duty to bring one event to one subscription, leased to
// whoever holds it.
type Delivery struct {
	ID                  ID
	SubscriptionID      ID
	SubscriptionVersion int64 // of the subscription when it was leased; an older copy is stale
	Event               *Event
	Attempt             int  // number of the attempt that is due, from 1 on
	ScheduleStart       int  // attempts made before its schedule last began anew
	Test                bool // a marked sample, not an event of the log
	LeasedUntil         Time
	StartAt             Time // not before, by the subscription's pace; 0: at once
}

// An Attempt is one try at a delivery, and what came of it.
type Attempt struct {
	Delivery     *Delivery
	StartedAt    Time
	Duration     time.Duration
	StatusCode   int    // HTTP status, gRPC code or WebSocket close code; -1: no answer came
	ResponseBody string // the first 4 KiB, as text
	Error        string // in words that an operator understands; empty: the subscriber acknowledged

	Status  DeliveryStatus // Succeeded, Pending (to be tried again) or Failed
	NextAt  Time           // of the next attempt, when Pending
	Disable bool           // the subscriber refused for good (410)
}

// A Want is how many deliveries of a subscription a worker can start now.
type Want struct {
	Subscription ID
	N            int
	Ordered      bool // the head of the line alone, if no delivery is under way
	MaxPerSecond int  // attempts started, over all nodes; 0: no limit
}
