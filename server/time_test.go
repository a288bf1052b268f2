package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
)

// pipes is a listener whose connections live in memory, so that they keep to a
// bubble's virtual time. A write waits until it is read.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.conns <- server
	return client, nil
}

// virtual runs a test against a server in virtual time.
func virtual(t *testing.T, test func(t *testing.T, f *fixture, c *http.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{access: newAccess(), log: newLog(), lines: &lines{}}
		f.server = f.newServer()
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- f.server.Serve(ctx, p) }()
		transport := &http.Transport{DialContext: p.dial}
		f.Server = &httptest.Server{URL: "http://hark.test"}
		test(t, f, &http.Client{Transport: transport})
		transport.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func socketOver(t *testing.T, c *http.Client) *socket {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws://hark.test/graphql",
		&websocket.DialOptions{HTTPClient: c, Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	return &socket{conn, t, t.Context()}
}

func TestInitTimeout(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, _ *fixture, c *http.Client) {
		s, start := socketOver(t, c), time.Now()
		s.closed(4408)
		if took := time.Since(start); took < 3*time.Second || took > 4*time.Second {
			t.Error(took)
		}
	})
}

func TestReaderThatStopsIsDropped(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, f *fixture, c *http.Client) {
		s := socketOver(t, c)
		s.init()
		s.say(sub("1", live))
		synctest.Wait()
		f.log.append(`1`) // a pipe holds nothing: the first write waits
		start := time.Now()
		eventuallyClosed(f)
		if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
			t.Error(took)
		}
		_ = s.CloseNow()
	})
}

// eventuallyClosed waits in virtual time until the connection's operation is over.
func eventuallyClosed(f *fixture) {
	for {
		synctest.Wait()
		f.log.mu.Lock()
		open := f.log.open
		f.log.mu.Unlock()
		if open == 0 {
			return
		}
		<-time.After(time.Second)
	}
}

func TestPeerThatIsGoneIsFound(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, f *fixture, c *http.Client) {
		s := socketOver(t, c)
		s.init()
		s.say(sub("1", live))
		synctest.Wait()
		start := time.Now() // from here on nobody reads, so no ping is answered
		eventuallyClosed(f)
		if took := time.Since(start); took > 30*time.Second {
			t.Error(took)
		}
		_ = s.CloseNow()
	})
}

func TestQuietStreamsBeat(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, f *fixture, c *http.Client) {
		for path, want := range map[string]struct{ body, beats string }{
			"/graphql":    {subscribe, ":\n\n:\n\n"},
			projectEvents: {`{"projectId":"p","register":[{"event":"secret:update"}]}`, "event: ping\n\nevent: ping\n\n"},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://hark.test"+path, strings.NewReader(want.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "Authorization": {"Bearer " + alice}}
			start := time.Now()
			resp, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body := bufio.NewReader(resp.Body)
			if path == "/graphql" {
				(&sseReader{t: t, scan: body}).begun()
			}
			b := make([]byte, len(want.beats))
			if _, err := io.ReadFull(body, b); err != nil || string(b) != want.beats {
				t.Errorf("%q %v", b, err)
			}
			if took := time.Since(start); took != 30*time.Second {
				t.Error(took)
			}
			cancel()
			_ = resp.Body.Close()
		}
	})
}

func TestAuthorityEndsWithinASecond(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, f *fixture, c *http.Client) {
		s := socketOver(t, c)
		s.init()
		s.say(sub("1", live))
		synctest.Wait()
		for range 20 { // a storm of changes costs no more than ten looks a second
			f.access.change(func(map[string]*hark.Viewer) {})
		}
		start := time.Now()
		f.access.change(func(v map[string]*hark.Viewer) { delete(v, alice) })
		s.closed(4403)
		if took := time.Since(start); took > time.Second {
			t.Error(took)
		}
	})
}
