//go:build !linux

package socket

import "context"

// A Poller leaves it to a goroutine for each connection to wait.
type Poller struct{}

// Run does nothing, until ctx ends.
func (*Poller) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (*Poller) add(*Conn, func()) bool { return false }
func (*Poller) remove(*Conn)           {}
