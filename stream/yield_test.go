package stream

import (
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// On one processor, where somebody always has something to do, those whose
// connections have something to read get their turn all the same.
func TestYield(t *testing.T) {
	t.Parallel()
	if os.Getenv("HARK_TEST_YIELD") == "" { // in a process of its own, as all of it has one processor
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestYield$")
		cmd.Env = append(os.Environ(), "HARK_TEST_YIELD=1", "GOMAXPROCS=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if n := runtime.GOMAXPROCS(0); n != 1 {
		t.Fatalf("%d processors", n)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()

	got := make(chan struct{}, 1)
	go func() {
		var b [1]byte
		for {
			if _, err := io.ReadFull(far, b[:]); err != nil {
				return
			}
			got <- struct{}{}
		}
	}()
	y := &yielder{}
	const rounds, few = 100, 1000
	slow := 0
	for range rounds {
		if _, err := near.Write([]byte{0}); err != nil {
			t.Fatal(err)
		}
		for turns := 0; ; turns++ {
			y.yield()
			if turns == few {
				slow++ // the system may be late with a byte
			}
			select {
			case <-got:
			default:
				continue
			}
			break
		}
	}
	// Without a look at the network every byte takes as many turns as there are in
	// the 10 ms until the runtime looks by itself: tens of thousands.
	if slow > rounds/2 {
		t.Errorf("%d of %d bytes took more than %d turns to be heard of", slow, rounds, few)
	}
}
