//go:build unix

package socket

import "syscall"

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
