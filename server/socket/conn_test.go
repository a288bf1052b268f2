package socket

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// Who is given up gets the rest of what was written to him, and not what his
// writer did with its memory afterwards.
func TestWhatIsWrittenIsTheWritersAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := &Conn{Conn: near, poller: &Poller{}}
		memory := []byte("for him")
		if _, err := c.Write(memory); !errors.Is(err, ErrSlow) {
			t.Fatal(err)
		}
		copy(memory, "for her")
		heard := make(chan string)
		go func() {
			b, _ := io.ReadAll(far) // until it is closed
			heard <- string(b)
		}()
		if err := c.Last([]byte(", the last")); err != nil {
			t.Error(err)
		}
		_ = c.Close()
		if got := <-heard; got != "for him, the last" {
			t.Errorf("he hears %q", got)
		}
	})
}
