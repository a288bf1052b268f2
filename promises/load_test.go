package promises

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

// A load is publishers at work: singles and batches, with idempotency keys and
// without. What has a key is sent until it is answered; what has none, once.
type load struct {
	*board
	answered map[string]int64 // sequences by event id
	keys     map[string]string
	refused  int // calls that failed
	end      context.CancelFunc
	running  sync.WaitGroup
}

// startLoad has four publishers at work at each client, until stop.
func startLoad(t *testing.T, clients ...testkit.Client) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{board: newBoard(), answered: make(map[string]int64), keys: make(map[string]string), end: cancel}
	t.Cleanup(l.stop)
	for i, c := range clients {
		for w := range 4 {
			l.running.Go(func() { l.work(ctx, t, c, fmt.Sprintf("%d-%d", i, w), w) })
		}
	}
	return l
}

// stop ends the publishers, each after its answer.
func (l *load) stop() {
	l.end()
	l.running.Wait()
}

// waitFor waits until n more events are answered.
func (l *load) waitFor(t *testing.T, n int) {
	t.Helper()
	want := 0
	l.look(func() { want = len(l.answered) + n })
	l.wait(t, "answers to publishers", func() bool { return len(l.answered) >= want })
}

func (l *load) work(ctx context.Context, t *testing.T, c testkit.Client, name string, w int) {
	for i := 0; ctx.Err() == nil; i++ {
		inputs := make([]testkit.Vars, 1)
		if w%2 == 1 {
			inputs = make([]testkit.Vars, batch)
		}
		for j := range inputs {
			text := fmt.Sprintf("%s-%d-%d", name, i, j)
			inputs[j] = update(text)
			if w < 2 {
				inputs[j]["idempotencyKey"] = text
			}
		}
		for !l.try(t, c, inputs, w < 2) && w < 2 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
}

// batch is how many events every second publisher sends at once.
const batch = 5

// try publishes inputs; ctx of the load must not cut it.
func (l *load) try(t *testing.T, c testkit.Client, inputs []testkit.Vars, keyed bool) bool {
	events, err := publish(context.WithoutCancel(t.Context()), c, inputs...)
	if e, ok := errors.AsType[*testkit.GraphQLError](err); ok && e.Extensions.Code != "INTERNAL" && e.Extensions.Code != "RATE_LIMITED" {
		t.Error(err) // a node that goes down says nothing else
	}
	if err != nil {
		l.change(func() { l.refused++ })
		return false
	}
	if len(events) != len(inputs) {
		t.Errorf("%d events for %d inputs", len(events), len(inputs))
	}
	l.change(func() {
		for i, e := range events {
			if got, want := string(e.Payload), fmt.Sprintf("%q", inputs[i]["payload"]); got != want {
				t.Errorf("published %s, answered %s", want, got)
			}
			l.answered[e.ID] = e.Sequence
			if keyed {
				l.keys[inputs[i]["idempotencyKey"].(string)] = e.ID
			}
		}
	})
	return true
}

// check compares what was answered with the log.
func (l *load) check(t *testing.T, log []event) {
	t.Helper()
	at, keyed, batches := make(map[string]int64), make(map[string]int), make(map[string]int)
	for _, e := range log {
		at[e.ID] = e.Sequence
		keyed[string(e.Payload)]++
		// "client-worker-round-place"
		if parts := strings.Split(string(e.Payload), "-"); len(parts) == 4 && strings.Contains("13", parts[1]) {
			batches[strings.Join(parts[:3], "-")]++
		}
	}
	for name, n := range batches {
		if n != batch {
			t.Errorf("%d events of the batch %s were stored, of %d", n, name, batch)
		}
	}
	for id, sequence := range l.answered {
		if at[id] != sequence {
			t.Errorf("the event %s was answered as %d and stands at %d", id, sequence, at[id])
		}
	}
	for key := range l.keys {
		if n := keyed[fmt.Sprintf("%q", key)]; n != 1 {
			t.Errorf("the key %s was stored %d times", key, n)
		}
	}
	t.Logf("%d events answered, %d in the log, %d calls failed", len(l.answered), len(log), l.refused)
}
