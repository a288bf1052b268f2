//go:build unix

package socket

import (
	"io"
	"syscall"
)

// try writes what a non-blocking descriptor takes now.
func try(fd uintptr, p []byte) (n int, err error) {
	for {
		switch n, err = syscall.Write(int(fd), p); err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return n, err
		}
	}
}

// tryRead reads what has arrived: nothing without an error if there is nothing.
func tryRead(fd uintptr, p []byte) (n int, err error) {
	for {
		switch n, err = syscall.Read(int(fd), p); {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, nil
		case n == 0 && err == nil:
			return 0, io.EOF
		default:
			return n, err
		}
	}
}

// arrived tells whether there is something to read, or an end.
func arrived(fd uintptr) bool {
	var b [1]byte
	for {
		if _, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK); err != syscall.EINTR {
			return err != syscall.EAGAIN
		}
	}
}
