package socket

import (
	"crypto/tls"
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
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*Conn{"TCP": {Conn: nc}, "TLS": {Conn: tls.Client(nc, nil)}} {
		limit := 0
		control := raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 0)
			c.limitUnacknowledged()
			limit, _ = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
		})
		if control != nil || err != nil || limit != 15_000 {
			t.Errorf("%s: a peer may leave bytes unacknowledged for %d ms: %v, %v", name, limit, control, err)
		}
	}
	pipe, _ := net.Pipe()
	(&Conn{Conn: pipe}).limitUnacknowledged() // has no such option
}
