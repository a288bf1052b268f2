package soak

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// readLog looks for errors and panics in the log of hark, which does not run,
// and empties it: in all it would be gigabytes.
func readLog(t *testing.T, n *testkit.Node) {
	t.Helper()
	path := filepath.Join(n.Dir(), "node-1.log")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	told := 0
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadString('\n')
		if told < 5 && isTrouble(line) {
			told++
			t.Errorf("hark's log: %.1000s", line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
}

func isTrouble(line string) bool {
	return strings.Contains(line, `"level":"ERROR"`) || strings.HasPrefix(line, "WARNING: DATA RACE") ||
		strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}
