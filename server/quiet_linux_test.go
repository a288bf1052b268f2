package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark/stream"
)

// A plainSocket is a client of a few lines, which has no goroutine either.
type plainSocket struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func openPlain(t *testing.T, f *fixture, request string) *plainSocket {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(f.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	s := &plainSocket{c, t, bufio.NewReader(c)}
	s.send(request)
	for line := ""; line != "\r\n"; {
		if line, err = s.r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *plainSocket) send(b string) {
	s.t.Helper()
	if _, err := s.Write([]byte(b)); err != nil {
		s.t.Fatal(err)
	}
}

// frame is one of a client, whose mask changes nothing.
func frame(op byte, payload string) string {
	head := []byte{0x80 | op, 0x80 | byte(len(payload))}
	if len(payload) > 125 {
		head = []byte{0x80 | op, 0x80 | 126, byte(len(payload) >> 8), byte(len(payload))}
	}
	return string(head) + "\x00\x00\x00\x00" + payload
}

// want reads a frame of the server.
func (s *plainSocket) want(part string) {
	s.t.Helper()
	got := make([]byte, 2)
	for n := 0; n < len(got); {
		more, err := s.r.Read(got[n:])
		if n += more; err != nil {
			s.t.Fatalf("%q: %v", got[:n], err)
		}
		if n == 2 {
			size := int(got[1])
			if size == 126 {
				high, _ := s.r.ReadByte()
				low, _ := s.r.ReadByte()
				size = int(high)<<8 | int(low)
			}
			got = append(got, make([]byte, size)...)
		}
	}
	if !strings.Contains(string(got), part) {
		s.t.Fatalf("%q, want %q", got, part)
	}
}

// Who is quiet has no goroutine, whichever way he came; what he then sends is
// heard. It is no parallel test, as it counts the process's goroutines.
func TestQuietConnectionHasNoGoroutine(t *testing.T) {
	const each = 20
	f := &fixture{Server: &httptest.Server{}, access: newAccess(), log: newLog(), groups: stream.NewGroups(), lines: &lines{}}
	f.server = f.newServer()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.URL = "http://" + ln.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.server.Serve(ctx, ln) }()
	quiet := runtime.NumGoroutine() + 10 // the server's own, and what begins and ends

	var sockets, all []*plainSocket
	for range each {
		s := openPlain(t, f, "GET /graphql HTTP/1.1\r\nHost: hark.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n")
		s.send(frame(1, initMessage))
		s.want("connection_ack")
		s.send(frame(1, sub("1", live)))
		sockets, all = append(sockets, s), append(all, s)
		body := fmt.Sprintf(`{"query":%q}`, live)
		all = append(all, openPlain(t, f, fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: hark.test\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", alice, len(body), body)))
	}
	f.members(t, 2*each)
	few := func() bool { return runtime.NumGoroutine() < quiet }
	eventually(t, few)

	const pong = 0xA
	for _, s := range sockets {
		s.send(frame(pong, "") + frame(1, `{"type":"ping","payload":{"n":1}}`) + frame(1, `{"type":"ping","payload":{"n":2}}`))
		s.want(`{"n":1}`)
		s.want(`{"n":2}`)
	}
	eventually(t, few)

	for _, s := range all {
		_ = s.Close() // who is gone is found by the end of what he sends
	}
	eventually(t, func() bool { open, _ := f.server.Audience(); return open == 0 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
