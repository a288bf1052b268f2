package e2e_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestPlayground uses the playground in Chromium, and leaves a picture of it.
func TestPlayground(t *testing.T) {
	t.Parallel()
	dir := artifacts(t)
	node := testkit.Hark(t)
	cmd := exec.CommandContext(t.Context(), "node", "playground.mjs")
	cmd.Env = append(os.Environ(), "HARK_URL="+node.URL(), "HARK_TOKEN="+testkit.AdminToken, "ARTIFACTS="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
