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

// What a quiet connection is woken by, and what is of no interest to it: by a
// poller, and by itself where none runs.
func TestQuiet(t *testing.T) {
	t.Parallel()
	none := func([]byte) []byte { return nil }
	send := func(t *testing.T, w net.Conn, b string) {
		if _, err := io.WriteString(w, b); err != nil {
			t.Fatal(err)
		}
	}
	for name, runs := range map[string]bool{"by a poller": true, "by itself": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, stopped := &Poller{}, func() {}
			if runs {
				stopped = run(t, p)
			}
			ready := make(chan struct{}, 1)
			wake := func() { ready <- struct{}{} }

			c, client := pair(t, p)
			c.Quiet(wake)
			send(t, client, "pong")
			<-ready
			if c.Skip(none) {
				t.Error("what is of no interest is still there")
			}
			c.Quiet(wake)
			for range 1000 {
				runtime.Gosched()
			}
			select {
			case <-ready:
				t.Fatal("it is woken although nothing has happened")
			default:
			}
			send(t, client, "pong, message")
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

			c, client = pair(t, p)
			c.Quiet(wake)
			stopped()
			if runs {
				<-ready // to wait by itself
				c.Quiet(wake)
			}
			send(t, client, "message")
			<-ready
			if len(p.quiet) > 0 {
				t.Errorf("%d are still waited for", len(p.quiet))
			}
		})
	}
}

// run runs p until the function is called.
func run(t *testing.T, p *Poller) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	c, _ := pair(t, p)
	for !p.add(c, func() {}) { // until p runs
		runtime.Gosched()
	}
	_ = c.Close()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
