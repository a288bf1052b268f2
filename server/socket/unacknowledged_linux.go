package socket

import (
	"crypto/tls"
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
	nc := c.Conn
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	s, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return // it shows at the first write
	}
	_ = raw.Control(func(fd uintptr) {
		// What is no TCP has no such option, and does not need it.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unacknowledged.Milliseconds()))
	})
}
