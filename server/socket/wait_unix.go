//go:build unix

package socket

import (
	"errors"
	"time"
)

// wait writes all of p. Each part that goes moves the deadline.
func (c *Conn) wait(p []byte) (n int, err error) {
	var failed error
	err = c.raw.Write(func(fd uintptr) bool {
		for n < len(p) {
			var wrote int
			if wrote, failed = try(fd, p[n:]); failed != nil {
				return true
			}
			if wrote == 0 {
				return false // until it takes more
			}
			n += wrote
			failed = c.SetWriteDeadline(time.Now().Add(writeTimeout))
		}
		return true
	})
	return n, errors.Join(err, failed)
}
