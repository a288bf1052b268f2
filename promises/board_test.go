package promises

import (
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what has to come.
const patience = 40 * time.Second

// A board holds state that tests wait for: each change wakes who waits.
type board struct {
	mu      sync.Mutex
	changed chan struct{}
}

func newBoard() *board { return &board{changed: make(chan struct{})} }

// change runs f alone and wakes who waits.
func (b *board) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	close(b.changed)
	b.changed = make(chan struct{})
}

// look runs f alone.
func (b *board) look(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// wait waits until ok, which runs alone.
func (b *board) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		b.mu.Lock()
		done, changed := ok(), b.changed
		b.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// eventually asks until ok, of what tells nobody when it changes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late, tick := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}
