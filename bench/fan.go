package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
)

// A fan is the least server that fans out: what its publisher sends, as ready
// frames, it writes to every subscriber, one system call each.
type fan struct {
	mu          sync.Mutex
	subscribers []net.Conn
}

// The first byte of a connection says what it is.
const (
	isSubscriber = 's'
	isPublisher  = 'p'
)

func (f *fan) serve(c net.Conn) error {
	r := bufio.NewReaderSize(c, 512)
	kind, err := r.ReadByte()
	if err != nil {
		return err
	}
	if kind == isSubscriber {
		f.mu.Lock()
		f.subscribers = append(f.subscribers, c)
		f.mu.Unlock()
		_, err := r.ReadByte() // until it hangs up
		return err
	}
	for {
		var size [2]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return err
		}
		frame := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(r, frame); err != nil {
			return err
		}
		f.mu.Lock()
		subscribers := slices.Clone(f.subscribers)
		f.mu.Unlock()
		for _, s := range subscribers {
			_, _ = s.Write(frame) // one that hung up costs itself
		}
	}
}

// fanPublisher sends events of the size of hark's to a fan.
type fanPublisher struct{ net.Conn }

func newFanPublisher(ctx context.Context, addr string) (fanPublisher, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fanPublisher{}, err
	}
	_, err = c.Write([]byte{isPublisher})
	return fanPublisher{c}, err
}

// publish sends one event without waiting for anything.
func (p fanPublisher) publish(context.Context) error {
	payload := stamped(publishBody(1))
	frame := binary.BigEndian.AppendUint16([]byte{0x80 | opText, 126}, uint16(len(payload)))
	frame = append(frame, payload...)
	_, err := p.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...))
	return err
}
