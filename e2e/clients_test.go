package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// A walker is a client of somebody else's that asks, publishes and listens.
type walker struct {
	name string
	cmd  *exec.Cmd

	mu        sync.Mutex
	published int64 // the sequence of its own event
	heard     []int64
	errs      bytes.Buffer
	ended     bool
}

// newWalker starts a walker at a node's URL, which prints lines of JSON.
func newWalker(t *testing.T, url, name string, command ...string) *walker {
	t.Helper()
	w := &walker{name: name, cmd: exec.CommandContext(t.Context(), command[0], command[1:]...)}
	w.cmd.Env = append(os.Environ(), "HARK_URL="+url, "HARK_TOKEN="+testkit.AdminToken)
	w.cmd.Stderr = &w.errs
	w.cmd.Cancel = func() error { return w.cmd.Process.Signal(os.Interrupt) } // a browser is taken along
	w.cmd.WaitDelay = patience
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.take(lines.Bytes())
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = true
	}()
	t.Cleanup(func() {
		<-done
		_ = w.cmd.Wait() // it was interrupted
	})
	return w
}

func (w *walker) take(line []byte) {
	var said struct{ Published, Heard int64 }
	if json.Unmarshal(line, &said) != nil {
		return // not of the walk
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if said.Published > 0 {
		w.published = said.Published
	}
	if said.Heard > 0 {
		w.heard = append(w.heard, said.Heard)
	}
}

// until waits for what a walker gets.
func (w *walker) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ended := false
	defer func() {
		if t.Failed() {
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Logf("%s: %d events, to %v\n%s", w.name, len(w.heard), w.heard[max(0, len(w.heard)-3):], w.errs.String())
		}
	}()
	until(t, fmt.Sprintf("%s has not %s", w.name, what), func(context.Context) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		ended = w.ended
		return ended || holds()
	})
	if ended {
		t.Fatalf("%s ended", w.name)
	}
}

// publishMany publishes n events, in batches, and gives the sequence of the last.
func publishMany(t *testing.T, node *testkit.Node, n int) (last int64) {
	t.Helper()
	const batch = 20
	input := make([]testkit.Vars, batch)
	for i := range input {
		input[i] = testkit.Vars{
			"sourceService": "secret-manager", "resourceType": "secret", "operationType": "update", "payload": i,
		}
	}
	type data struct {
		PublishEvents struct{ Events []struct{ Sequence int64 } }
	}
	for range n / batch {
		all := testkit.MustCall[data](t, node.Admin(),
			`mutation($input: [PublishEventInput!]!) { publishEvents(input: $input) { events { sequence } } }`,
			testkit.Vars{"input": input}).PublishEvents.Events
		last = all[len(all)-1].Sequence
	}
	return last
}

// TestClients shows that the clients which people use ask, publish, and hear
// 1,000 events in order and each once, although the server is killed in the
// middle and started again.
func TestClients(t *testing.T) {
	t.Parallel()
	artifacts(t) // for the packages
	node := testkit.Hark(t)
	var walkers []*walker
	for _, name := range []string{
		"graphql-ws", "graphql-sse", "graphql-sse in single connection mode", "Apollo over WebSocket", "Apollo over multipart",
		"urql over WebSocket", "urql over SSE",
	} {
		walkers = append(walkers, newWalker(t, node.URL(), name, "node", "follow.mjs", name))
	}
	hearAThousand(t, node, walkers)
}

func hearAThousand(t *testing.T, node *testkit.Node, walkers []*walker) {
	t.Helper()
	for _, w := range walkers {
		w.until(t, "published", func() bool { return w.published > 0 })
	}
	publishMany(t, node, 500)
	for _, w := range walkers {
		w.until(t, "heard the first", func() bool { return len(w.heard) > 0 })
	}
	node.Kill()
	node.Start()
	last := publishMany(t, node, 500)
	for _, w := range walkers {
		w.until(t, fmt.Sprintf("heard %d", last), func() bool { return len(w.heard) > 0 && w.heard[len(w.heard)-1] >= last })
	}
	inOrder(t, walkers)
}

// inOrder checks that each has heard all there is behind its own event, once.
func inOrder(t *testing.T, walkers []*walker) {
	t.Helper()
	for _, w := range walkers {
		w.mu.Lock()
		defer w.mu.Unlock()
		for i, sequence := range w.heard {
			if want := w.published + 1 + int64(i); sequence != want {
				t.Errorf("%s heard %d at place %d, want %d", w.name, sequence, i, want)
				break
			}
		}
	}
}
