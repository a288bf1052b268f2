package promises

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

// A listener is a subscriber that is read from by sweeps: ten thousand of them
// need no goroutine of their own.
type listener struct {
	net.Conn
	raw  syscall.RawConn
	rest []byte // of what was read, not yet a whole frame

	next   atomic.Int64 // sequence
	closed atomic.Int64 // close code; 1006 without one
	wrong  atomic.Value // what it should not have heard, as text
}

// listen opens a WebSocket and subscribes. A silent listener takes next to
// nothing from its system either.
func listen(t *testing.T, c testkit.Client, silent bool, queries ...string) (*listener, error) {
	d := net.Dialer{}
	if silent {
		d.Control = func(_, _ string, raw syscall.RawConn) (err error) {
			_ = raw.Control(func(fd uintptr) {
				if err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096); err == nil {
					err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 536)
				}
			})
			return err
		}
	}
	host := strings.TrimPrefix(c.URL, "http://")
	nc, err := d.DialContext(t.Context(), "tcp", host)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { nc.Close() })
	l := &listener{Conn: nc}
	if l.raw, err = nc.(*net.TCPConn).SyscallConn(); err != nil {
		return nil, err
	}
	fmt.Fprintf(nc, "GET /graphql HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\nAuthorization: Bearer %s\r\n\r\n", host, c.Token)
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("the handshake is answered %v, %v", resp, err)
	}
	l.send(0x1, `{"type":"connection_init"}`)
	for i, query := range queries {
		l.send(0x1, fmt.Sprintf(`{"id":"%d","type":"subscribe","payload":{"query":%q}}`, i, query))
	}
	early, err := io.ReadAll(io.LimitReader(r, int64(r.Buffered())))
	l.rest = early
	return l, err
}

// send sends one frame, masked with zeros. What does not go through shows at
// the next sweep.
func (l *listener) send(op byte, text string) {
	b := []byte{0x80 | op, 0x80 | byte(len(text))}
	if len(text) > 125 {
		b = binary.BigEndian.AppendUint16([]byte{0x80 | op, 0x80 | 126}, uint16(len(text)))
	}
	_, _ = l.Write(append(append(b, 0, 0, 0, 0), text...))
}

// sweep takes what there is, without waiting.
func (l *listener) sweep(buf []byte) {
	for l.closed.Load() == 0 {
		n, err := 0, error(nil)
		if read := l.raw.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), buf)
			return true
		}); read != nil {
			err = read
		}
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
			return
		case n <= 0:
			l.closed.Store(1006)
			return
		}
		l.rest = append(l.rest, buf[:n]...)
		l.frames()
	}
}

var sequenceOf = regexp.MustCompile(`"sequence":(\d+)`)

// frames takes the whole frames of rest.
func (l *listener) frames() {
	for b := l.rest; len(b) >= 2; b = l.rest {
		size, head := int(b[1]), 2
		switch {
		case size == 126 && len(b) >= 4:
			size, head = int(binary.BigEndian.Uint16(b[2:])), 4
		case size == 127 && len(b) >= 10:
			size, head = int(binary.BigEndian.Uint64(b[2:])), 10
		case size > 125:
			return
		}
		if len(b) < head+size {
			return
		}
		l.frame(b[0]&0xf, b[head:head+size])
		l.rest = b[head+size:]
	}
	if len(l.rest) == 0 {
		l.rest = nil
	}
}

func (l *listener) frame(op byte, payload []byte) {
	m := sequenceOf.FindSubmatch(payload)
	switch {
	case op == 0x8:
		l.closed.Store(int64(binary.BigEndian.Uint16(payload)))
	case op == 0x9:
		l.send(0xA, string(payload))
	case bytes.Contains(payload, []byte("connection_ack")), bytes.HasPrefix(payload, []byte(`{"id":"1"`)):
	case m == nil:
		l.wrong.CompareAndSwap(nil, string(payload))
	default:
		n, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits
		if want := l.next.Load(); n != want {
			l.wrong.CompareAndSwap(nil, fmt.Sprintf("%d instead of %d", n, want))
		}
		l.next.Store(n + 1)
	}
}

// sweeping sweeps listeners until the test ends.
type sweeping struct {
	mu  sync.Mutex
	all []*listener
}

func sweep(t *testing.T) *sweeping {
	s := &sweeping{}
	stop, stopped := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-stopped })
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for buf := make([]byte, 64<<10); ; {
			s.mu.Lock()
			all := s.all
			s.mu.Unlock()
			for _, l := range all {
				l.sweep(buf)
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return s
}

func (s *sweeping) add(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, l)
}
