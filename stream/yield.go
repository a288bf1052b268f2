package stream

import (
	"os"
	"runtime"
	"sync"
	"syscall"
)

// A yielder lets others have the processor, those included whose connections
// have something to read. runtime.Gosched does not: a scheduler that finds who
// yields ready to run again does not look at the network, so that, where there
// is always somebody, it does so every 10 ms only. Who waits for a pipe of his
// own, and nothing else, makes it look.
type yielder struct {
	mu    sync.Mutex
	write *os.File
	read  syscall.RawConn // nil: there is no pipe yet
}

// yield returns when those have run who were ready, or who had something to read.
func (y *yielder) yield() {
	if y.mu.TryLock() { // else somebody makes it look already
		defer y.mu.Unlock()
		if y.wait() {
			return
		}
	}
	runtime.Gosched()
}

// wait waits for a byte that it writes only when it is ready to wait, since a
// byte that is there already keeps nobody waiting.
func (y *yielder) wait() (waited bool) {
	if y.read == nil && !y.open() {
		return false
	}
	var b [1]byte
	err := y.read.Read(func(fd uintptr) bool {
		if !waited {
			_, err := y.write.Write(b[:])
			waited = err == nil
			return !waited
		}
		for {
			if _, err := syscall.Read(int(fd), b[:]); err != syscall.EINTR {
				return err != syscall.EAGAIN
			}
		}
	})
	return waited && err == nil
}

// open makes the pipe, if there are descriptors left.
func (y *yielder) open() bool {
	r, w, err := os.Pipe()
	if err != nil {
		return false
	}
	if y.read, err = r.SyscallConn(); err != nil {
		return false
	}
	y.write = w
	return true
}
