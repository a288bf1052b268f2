package promises

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

// A follower reads the live stream of the default project and comes back with
// Last-Event-ID whenever it is cut.
type follower struct {
	*board
	sequences []int64
	cuts      int
}

// follow follows a node's stream behind a cursor, until the test ends.
func follow(t *testing.T, c testkit.Client, after string) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{board: newBoard()}
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			var err error
			if after, err = f.read(ctx, c, after); err != nil {
				t.Error(err)
				return
			}
			f.change(func() { f.cuts++ })
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return f
}

const subscription = `{"query":"subscription { projectEvents(filter: {}) { sequence } }"}`

// read reads one connection and gives the cursor behind what it got.
func (f *follower) read(ctx context.Context, c testkit.Client, after string) (string, error) {
	resp, err := c.Open(ctx, "/graphql", subscription, "Accept", "text/event-stream", "Last-Event-ID", after)
	if err != nil {
		return after, nil // the node is down
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable {
		return after, nil // the node drains
	}
	if resp.StatusCode != http.StatusOK {
		return after, fmt.Errorf("the stream answers %s", resp.Status)
	}
	id, lines := "", bufio.NewScanner(resp.Body)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "data":
			var a struct {
				Data   struct{ ProjectEvents struct{ Sequence int64 } }
				Errors []*testkit.GraphQLError
			}
			if err := json.Unmarshal([]byte(value), &a); err != nil {
				return after, nil // cut in the middle of a line
			}
			if len(a.Errors) > 0 {
				return after, a.Errors[0]
			}
			after = id
			f.change(func() { f.sequences = append(f.sequences, a.Data.ProjectEvents.Sequence) })
		}
	}
	return after, nil
}

// waitUntil waits for the event last, and checks that each from first on came once, in order.
func (f *follower) waitUntil(t *testing.T, first, last int64) {
	t.Helper()
	f.wait(t, fmt.Sprintf("event %d in the stream", last), func() bool {
		return len(f.sequences) > 0 && f.sequences[len(f.sequences)-1] >= last
	})
	f.look(func() {
		for i, s := range f.sequences {
			if s != first+int64(i) {
				t.Fatalf("event %d at place %d of the stream, want %d", s, i, first+int64(i))
			}
		}
	})
}
