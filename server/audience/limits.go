package audience

import "cmp"

// Limits bound the streams of a node. The zero value of a field means its default.
type Limits struct {
	Streams    int // WebSockets and event streams; default 20,000
	Identity   int // of them for one identity; default 10,000
	Project    int // of them for one project at its own endpoint; default 1,000
	Operations int // at once on one connection; default 100

	MessageBytes int // of a message from a client; default 64 KiB
	MessageRate  int // messages a second from a client, on average; default 50
}

func (l Limits) withDefaults() Limits {
	l.Streams = cmp.Or(l.Streams, 20_000)
	l.Identity = cmp.Or(l.Identity, 10_000)
	l.Project = cmp.Or(l.Project, 1_000)
	l.Operations = cmp.Or(l.Operations, 100)
	l.MessageBytes = cmp.Or(l.MessageBytes, 64<<10)
	l.MessageRate = cmp.Or(l.MessageRate, 50)
	return l
}

// A Limit is a bound of streams. How often it was met is counted.
type Limit int

// The limits, in the order of Limits, and that of reading.
const (
	Streams Limit = iota
	IdentityStreams
	ProjectStreams
	Operations
	MessageBytes
	MessageRate
	Reading // a client that takes nothing for 10 s

	limits
)

// String is the limit's name in metrics.
func (l Limit) String() string {
	return [limits]string{"streams", "identity", "project", "operations", "message_bytes", "message_rate", "reading"}[l]
}
