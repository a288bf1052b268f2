package socket

import (
	"net"
	"syscall"
	"testing"
)

// A peer that is gone without a word cannot be had on one machine, so what the
// system is told is looked at.
func TestUnacknowledgedIsLimited(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := &Conn{Conn: nc}
	if c.raw, err = nc.(syscall.Conn).SyscallConn(); err != nil {
		t.Fatal(err)
	}
	c.limitUnacknowledged()
	var limit int
	if control := c.raw.Control(func(fd uintptr) {
		limit, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
	}); control != nil || err != nil || limit != 15_000 {
		t.Errorf("a peer may leave bytes unacknowledged for %d ms: %v, %v", limit, control, err)
	}
	(&Conn{Conn: nc}).limitUnacknowledged() // one that is no TCP has no such option
}
