package socket

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
)

// pair gives a connection under the care of p, and its other end.
func pair(t *testing.T, p *Poller) (*Conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := &Conn{Conn: nc, poller: p}
	c.raw, err = nc.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		_ = client.Close()
	})
	return c, client
}

// What a quiet connection is woken by, and what is of no interest to it.
func TestQuiet(t *testing.T) {
	t.Parallel()
	p := &Poller{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	ready := make(chan struct{}, 1)
	wake := func() { ready <- struct{}{} }
	none := func([]byte) []byte { return nil }
	send := func(w net.Conn, b string) {
		if _, err := io.WriteString(w, b); err != nil {
			t.Fatal(err)
		}
	}

	c, client := pair(t, p)
	for !p.add(c, wake) { // until p runs
		runtime.Gosched()
	}
	send(client, "pong")
	<-ready
	if c.Skip(none) {
		t.Error("what is of no interest is still there")
	}
	c.Quiet(wake)
	send(client, "pong, message")
	<-ready
	b := make([]byte, 100)
	if there := c.Skip(func(b []byte) []byte { return bytes.TrimPrefix(b, []byte("pong, ")) }); !there {
		t.Fatal("the message is not there")
	}
	c.Quiet(wake)
	<-ready // at once, as there is something to read
	if n, err := c.Read(b); string(b[:n]) != "message" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}

	c, client = pair(t, p)
	c.Quiet(wake)
	_ = client.Close()
	<-ready
	if _, err := c.Read(b); !c.Skip(none) || err != io.EOF {
		t.Errorf("the end of what the client sends is %v", err)
	}

	c, _ = pair(t, p)
	c.Quiet(wake)
	_ = c.Close()
	<-ready
	c.Quiet(wake)
	<-ready // at once, as it is closed
	if !c.Skip(none) {
		t.Error("Read is not to tell that it is closed")
	}

	c, _ = pair(t, p)
	c.Quiet(wake)
	stop()
	<-ready // to wait by itself
	if err := <-ended; err != nil {
		t.Error(err)
	}
	c.Quiet(wake)
	<-ready
	if len(p.quiet) > 0 {
		t.Errorf("%d are still waited for", len(p.quiet))
	}
}
