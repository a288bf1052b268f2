package e2e_test

import (
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestBrowser is TestClients in Chromium, in a page of another origin.
func TestBrowser(t *testing.T) {
	t.Parallel()
	artifacts(t) // for the packages
	node := testkit.Hark(t, "--cors-origins=http://page.example")
	var walkers []*walker
	for _, name := range []string{"Apollo over WebSocket", "urql over WebSocket", "urql over SSE", "graphql-sse in single connection mode"} {
		walkers = append(walkers, newWalker(t, node.URL(), name, "node", "browser.mjs", name))
	}
	hearAThousand(t, node, walkers)
}
