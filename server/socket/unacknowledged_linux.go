package socket

import (
	"syscall"
	"time"
)

const (
	// unacknowledged is how long a peer may leave bytes without a sign that it
	// has them. With signs of life every 15 s, one that is gone is found within 30 s.
	unacknowledged = 15 * time.Second

	tcpUserTimeout = 0x12 // TCP_USER_TIMEOUT, RFC 5482
)

// limitUnacknowledged has the system end a connection whose peer is gone.
func (c *Conn) limitUnacknowledged() {
	if c.raw == nil {
		return
	}
	_ = c.raw.Control(func(fd uintptr) {
		// What is no TCP has no such option, and does not need it.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unacknowledged.Milliseconds()))
	})
}
