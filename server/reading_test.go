package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark/server"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/stream"
)

// A wire is a network without buffers, in virtual time: what is not read blocks
// who writes it.
type wire struct {
	accept chan net.Conn
	closed context.Context
	close  func()
}

func (w wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.accept:
		return c, nil
	case <-w.closed.Done():
		return nil, net.ErrClosed
	}
}

func (w wire) Close() error {
	w.close()
	return nil
}

func (w wire) Addr() net.Addr { return &net.TCPAddr{} }

func (w wire) dial() net.Conn {
	client, server := net.Pipe()
	w.accept <- server
	return client
}

// inVirtualTime runs test against a server on a wire.
func inVirtualTime(t *testing.T, test func(t *testing.T, f *fixture, w wire), edit ...func(*server.Config)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{access: newAccess(), log: newLog(), groups: stream.NewGroups(), lines: &lines{}}
		f.server = f.newServer(edit...)
		w := wire{accept: make(chan net.Conn)}
		w.closed, w.close = context.WithCancel(t.Context())
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.server.Serve(ctx, w) }()
		test(t, f, w)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// met tells how often a limit was met.
func met(s *server.Server, l audience.Limit) uint64 {
	_, met := s.Audience()
	return met[l]
}

func (w wire) socket(t *testing.T) *socket {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), "ws://hark/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"},
		HTTPClient: &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return w.dial(), nil },
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &socket{c, t, t.Context()}
}

func TestWhoDoesNotReadIsClosed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, f *fixture, w wire) {
		late, never := w.socket(t), w.socket(t)
		for _, s := range []*socket{late, never} {
			s.init()
			s.say(sub("1", live))
		}
		synctest.Wait()
		one, two := f.log.append("1"), f.log.append("2")
		time.Sleep(9 * time.Second)
		if n := met(f.server, audience.Reading); n != 0 {
			t.Errorf("%d are closed after 9 s", n)
		}
		time.Sleep(2 * time.Second)
		if n := met(f.server, audience.Reading); n != 2 {
			t.Errorf("%d are closed after 11 s", n)
		}
		late.want(`{"id":"1","type":"next","payload":`+result(one)+`}`, `{"id":"1","type":"next","payload":`+result(two)+`}`)
		late.closed(websocket.StatusTryAgainLater)
		time.Sleep(15 * time.Second)
		if open, _ := f.server.Audience(); open != 0 {
			t.Errorf("%d are open after 26 s", open)
		}
		_ = never.CloseNow()
	})
}

func TestWhoDoesNotReadEventsIsClosed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, f *fixture, w wire) {
		for _, path := range []string{"/graphql", projectEvents} {
			c := w.dial()
			body := subscribe
			if path == projectEvents {
				body = `{"projectId":"p","register":[{"event":"secret:update"}]}`
			}
			r, err := http.NewRequest(http.MethodPost, "http://hark"+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "Authorization": {"Bearer " + alice}}
			if err := r.Write(c); err != nil {
				t.Fatal(err)
			}
			if _, err := http.ReadResponse(bufio.NewReader(c), r); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		synctest.Wait()
		f.log.append("1")
		time.Sleep(11 * time.Second)
		if open, _ := f.server.Audience(); open != 0 {
			t.Errorf("%d are open after 11 s", open)
		}
	})
}

// A stream of HTTP/2 stays for as long as nothing happens in it.
func TestQuietStreamOfHTTP2(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, f *fixture, w wire) {
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{
			Protocols:   &protocols,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return w.dial(), nil },
		}
		defer transport.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hark/graphql", strings.NewReader(subscribe))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "Authorization": {"Bearer " + alice}}
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		s := &sseReader{t, resp, bufio.NewReader(resp.Body)}
		s.begun()
		time.Sleep(14 * time.Second) // before there is a sign of life
		one := f.log.append("1")
		s.want(next(one, result(one)))
		s.want(":\n")
	}, func(c *server.Config) { c.H2C = true })
}

// A peer that is gone answers no ping.
func TestHalfOpenIsFound(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, f *fixture, w wire) {
		c := w.dial()
		const upgrade = "GET /graphql HTTP/1.1\r\nHost: hark\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\nAuthorization: Bearer " + alice + "\r\n\r\n"
		go func() {
			_, _ = io.WriteString(c, upgrade+maskedInit)
		}()
		ended := make(chan time.Time)
		go func() {
			_, _ = io.Copy(io.Discard, c)
			ended <- time.Now()
		}()
		begun := time.Now()
		if took := (<-ended).Sub(begun); took < 20*time.Second || took > 30*time.Second {
			t.Errorf("it took %v", took)
		}
		_ = c.Close()
	})
}

// It answers none of HTTP/2 either.
func TestHalfOpenHTTP2IsFound(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *fixture, w wire) {
		c := w.dial()
		defer c.Close()
		const preface, settings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		go func() { _, _ = io.WriteString(c, preface+settings) }()
		begun := time.Now()
		_, _ = io.Copy(io.Discard, c) // to the end
		if took := time.Since(begun); took < 20*time.Second || took > 30*time.Second {
			t.Errorf("it took %v", took)
		}
	}, func(c *server.Config) { c.H2C = true })
}

// maskedInit is {"type":"connection_init"} as a client's frame, with a mask of zeros.
const maskedInit = "\x81\x9a\x00\x00\x00\x00" + `{"type":"connection_init"}`
