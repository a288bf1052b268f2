package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience is how long a step of a test may take: a browser starts in it, on a busy machine.
const patience = time.Minute

// until waits for what gives no sign of itself.
func until(t *testing.T, what string, holds func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %v: %s", patience, what)
		}
	}
}

// listeners waits until n streams are open at a hark.
func listeners(t *testing.T, addr string, n int) {
	t.Helper()
	until(t, fmt.Sprintf("there are not %d streams", n), func(ctx context.Context) bool {
		resp, err := testkit.Client{URL: "http://" + addr}.Request(ctx, http.MethodGet, "/metrics", nil)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(text), fmt.Sprintf("\nhark_stream_readers %d\n", n))
	})
}

// artifacts is a new folder for what a test leaves to be looked at. Scripts in
// it find the packages of e2e/node_modules.
func artifacts(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("artifacts", t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("node_modules"); err != nil {
		t.Fatal("e2e/node_modules is absent: run make e2e, or npm ci in e2e")
	}
	return dir
}
