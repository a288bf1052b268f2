package e2e_test

import (
	"os/exec"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestGraphQLOverHTTP runs the audits of npm graphql-http: none gives as much as a notice.
func TestGraphQLOverHTTP(t *testing.T) {
	t.Parallel()
	artifacts(t) // for the packages
	node := testkit.Hark(t)
	out, err := exec.CommandContext(t.Context(), "node", "audit.mjs", node.URL()+"/graphql").CombinedOutput()
	if err != nil || string(out) != "61 audits\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
