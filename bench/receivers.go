package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1" // RFC 6455 says so
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"google.golang.org/grpc"

	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// receivers are a sink that takes gRPC and WebSocket callbacks as well, on the
// one address.
type receivers struct {
	sink
	harkv1.UnimplementedEventReceiverServer
	start sync.Once
	calls chan net.Conn // to the gRPC server
}

func (s *receivers) serve(c net.Conn) error {
	r := bufio.NewReaderSize(c, 64<<10)
	first, err := r.Peek(4)
	if err != nil {
		return err
	}
	conn := &peeked{Conn: c, r: r, closed: make(chan struct{})}
	switch string(first) {
	case "PRI ":
		s.start.Do(func() {
			s.calls = make(chan net.Conn)
			server := grpc.NewServer()
			harkv1.RegisterEventReceiverServer(server, s)
			go func() { _ = server.Serve(s) }() // as long as the process lives
		})
		s.calls <- conn
		<-conn.closed
		return nil
	case "GET ":
		if head, err := r.Peek(11); err == nil && string(head) == "GET /events" {
			return s.answerMessages(r, c)
		}
	}
	return s.sink.serve(conn)
}

// Deliver implements harkv1.EventReceiverServer.
func (s *receivers) Deliver(context.Context, *harkv1.Event) (*harkv1.Ack, error) {
	s.posts.Add(1)
	return &harkv1.Ack{}, nil
}

// Accept, Close and Addr implement net.Listener for the gRPC server.
func (s *receivers) Accept() (net.Conn, error) { return <-s.calls, nil }
func (s *receivers) Close() error              { return nil }
func (s *receivers) Addr() net.Addr            { return &net.TCPAddr{} }

// peeked is a connection of which something was read ahead.
type peeked struct {
	net.Conn
	r      *bufio.Reader
	once   sync.Once
	closed chan struct{}
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

func (p *peeked) Close() error {
	defer p.once.Do(func() { close(p.closed) })
	return p.Conn.Close()
}

// answerMessages acknowledges every message of a WebSocket, many in one write.
func (s *receivers) answerMessages(r *bufio.Reader, w io.Writer) error {
	req, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // see above
	if _, err := fmt.Fprintf(w, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: hark.v1\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:])); err != nil {
		return err
	}
	var buf, out []byte
	for {
		if buf, err = maskedFrame(r, buf); err != nil {
			return err
		}
		_, rest, found := bytes.Cut(buf, []byte(`"deliveryId":"`))
		if !found || len(rest) < 36 {
			return fmt.Errorf("no message of hark: %q", buf)
		}
		s.posts.Add(1)
		out = append(out, 0x80|opText, 46)
		out = append(append(append(out, `{"ack":"`...), rest[:36]...), `"}`...)
		if r.Buffered() > 0 {
			continue
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
		out = out[:0]
	}
}

// maskedFrame reads one frame of a client, into buf if that is large enough.
func maskedFrame(r io.Reader, buf []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return nil, err
	}
	size := int(head[1] & 0x7f)
	if size == 126 {
		if _, err := io.ReadFull(r, head[:2]); err != nil {
			return nil, err
		}
		size = int(binary.BigEndian.Uint16(head[:]))
	}
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	_, err := io.ReadFull(r, buf)
	for i := range buf {
		buf[i] ^= head[i%4]
	}
	return buf, err
}
