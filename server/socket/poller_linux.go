package socket

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// wakeups is how many connections are looked up at once.
const wakeups = 128

// A Poller waits for what clients send of whom most are quiet, so that not each
// has a goroutine, and its stack, to wait with. It works while Run does; the zero
// value is ready.
type Poller struct {
	mu    sync.Mutex // guards also the fields of connections that say so
	epoll int        // a descriptor
	runs  bool
	quiet map[int32]*Conn // by descriptor
}

// Run waits until ctx ends. The runtime waits for the descriptor that waits for
// all others, so no thread is kept.
func (p *Poller) Run(ctx context.Context) error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err == nil {
		err = syscall.SetNonblock(fd, true) // what os.NewFile goes by
	}
	if err != nil {
		return fmt.Errorf("wait for clients: %w", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	defer context.AfterFunc(ctx, func() { _ = file.Close() })()
	raw, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("wait for clients: %w", err)
	}
	p.begin(fd)
	defer p.end()
	var events [wakeups]syscall.EpollEvent
	for {
		n := 0
		waited := raw.Read(func(fd uintptr) bool {
			n, err = syscall.EpollWait(int(fd), events[:], 0)
			return n != 0
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case waited != nil:
			return fmt.Errorf("wait for clients: %w", waited)
		case n < 0 && err != syscall.EINTR:
			return fmt.Errorf("wait for clients: %w", err)
		}
		p.wake(events[:max(n, 0)])
	}
}

func (p *Poller) begin(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoll, p.runs, p.quiet = fd, true, map[int32]*Conn{}
}

// end leaves it to a goroutine for each connection to wait.
func (p *Poller) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs = false
	for _, c := range p.quiet {
		go c.ready()
	}
	p.quiet = nil
}

func (p *Poller) wake(events []syscall.EpollEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events {
		if c := p.quiet[e.Fd]; c != nil {
			delete(p.quiet, e.Fd)
			go c.ready()
		}
	}
}

// add has ready called once, in a goroutine of its own, when c can be read or
// is about to be closed; false: that cannot be waited for.
func (p *Poller) add(c *Conn, ready func()) (added bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.runs || c.closed {
		return false
	}
	_ = c.raw.Control(func(fd uintptr) { // fails when c is closed: nothing is added
		op := syscall.EPOLL_CTL_ADD
		if c.polled {
			op = syscall.EPOLL_CTL_MOD
		}
		event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(fd)}
		if syscall.EpollCtl(p.epoll, op, int(fd), &event) == nil {
			c.polled, c.fd, c.ready = true, event.Fd, ready
			p.quiet[c.fd] = c
			added = true
		}
	})
	return added
}

// remove wakes c for the last time. Its descriptor must be open still: the next
// connection may get the same one.
func (p *Poller) remove(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.closed = true
	if p.quiet[c.fd] == c {
		delete(p.quiet, c.fd)
		go c.ready()
	}
}
