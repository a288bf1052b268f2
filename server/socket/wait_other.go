//go:build !unix

package socket

// wait writes the beginning of p.
func (c *Conn) wait(p []byte) (n int, err error) { return c.piece(p) }
