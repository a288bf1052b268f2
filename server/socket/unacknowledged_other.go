//go:build !linux

package socket

// limitUnacknowledged leaves it to the system how long a peer may be gone.
func (c *Conn) limitUnacknowledged() {}
