package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Kinds of frames.
const (
	opText = 0x1
	opPing = 0x9
	opPong = 0xA
)

// A socket is a subscriber's end of a WebSocket, at the least cost: it counts
// the messages that carry a mark, and how long each was under way.
type socket struct {
	net.Conn
	r        *bufio.Reader
	received *atomic.Int64
	took     latencies // to be read once run has returned
}

func newSocket(ctx context.Context, addr string, received *atomic.Int64) (*socket, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &socket{Conn: c, r: bufio.NewReaderSize(c, 2<<10), received: received}, nil
}

// subscribeTo does the handshakes of WebSocket and graphql-transport-ws, and
// asks for the events of arguments such as "filter:{}".
func (s *socket) subscribeTo(host, arguments string) error {
	if err := s.upgrade(host, "/graphql", "graphql-transport-ws"); err != nil {
		return err
	}
	if err := s.send(opText, []byte(`{"type":"connection_init"}`)); err != nil {
		return err
	}
	if _, ack, err := s.frame(nil); err != nil || !bytes.Contains(ack, []byte("connection_ack")) {
		return fmt.Errorf("hark answered %q: %w", ack, err)
	}
	query, err := json.Marshal("subscription{projectEvents(" + arguments + "){id cursor eventType environment path publishedAt payload}}")
	if err != nil {
		return err
	}
	return s.send(opText, fmt.Appendf(nil, `{"id":"1","type":"subscribe","payload":{"query":%s}}`, query))
}

// upgrade does the handshake of WebSocket.
func (s *socket) upgrade(host, path, protocol string) error {
	_, err := fmt.Fprintf(s, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, host, protocol, token)
	if err != nil {
		return err
	}
	res, err := http.ReadResponse(s.r, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return errors.New("answered " + res.Status)
	}
	return nil
}

// run reads until the connection ends.
func (s *socket) run() {
	var buf []byte
	for {
		op, payload, err := s.frame(buf)
		if err != nil {
			return
		}
		buf = payload
		if op == opPing {
			err = s.send(opPong, payload)
		}
		if err != nil {
			return
		}
		if _, rest, ok := bytes.Cut(payload, []byte(mark)); ok && len(rest) >= len(digits) {
			if sent, err := strconv.ParseInt(string(rest[:len(digits)]), 10, 64); err == nil && sent > 0 {
				s.took = append(s.took, time.Duration(time.Now().UnixNano()-sent))
			}
			s.received.Add(1)
		}
	}
}

// frame reads one frame of a server, into buf if that is large enough.
func (s *socket) frame(buf []byte) (op byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(s.r, head[:2]); err != nil {
		return 0, nil, err
	}
	op, size := head[0]&0x0f, int(head[1]&0x7f)
	if size == 126 {
		if _, err := io.ReadFull(s.r, head[:2]); err != nil {
			return 0, nil, err
		}
		size = int(binary.BigEndian.Uint16(head[:]))
	} else if size == 127 {
		return 0, nil, errors.New("a frame of more than 64 KiB")
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	_, err = io.ReadFull(s.r, buf[:size])
	return op, buf[:size], err
}

// send writes one frame, masked with zeros, which leaves it as it is.
func (s *socket) send(op byte, payload []byte) error {
	b := []byte{0x80 | op, 0x80 | byte(len(payload))}
	if len(payload) > 125 {
		b = binary.BigEndian.AppendUint16([]byte{0x80 | op, 0x80 | 126}, uint16(len(payload)))
	}
	_, err := s.Write(append(append(b, 0, 0, 0, 0), payload...))
	return err
}
