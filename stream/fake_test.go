package stream_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("the database is away")

// A memory is a Log of one project.
type memory struct {
	project hark.ID

	mu     sync.Mutex
	events []*hark.Event // all that was ever committed
	oldest int64
	gone   bool
	broken func() bool // does this query fail?
	reads  int
}

func newMemory() *memory { return &memory{project: hark.NewID(), oldest: 1} }

// commit adds n events.
func (l *memory) commit(n int) []*hark.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := len(l.events)
	for range n {
		l.events = append(l.events, &hark.Event{ID: hark.NewID(), ProjectID: l.project, Sequence: int64(len(l.events) + 1), Payload: hark.JSON(`"x"`)})
	}
	return l.events[from:len(l.events):len(l.events)]
}

// change is for whatever a test does to the log.
func (l *memory) change(f func(*memory)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
}

func (l *memory) check(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case l.broken != nil && l.broken():
		return errAway
	case l.gone:
		return hark.Errorf(hark.NotFound, "no such project")
	}
	return nil
}

func (l *memory) Read(ctx context.Context, _ hark.ID, after int64, limit int) ([]*hark.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if err := l.check(ctx); err != nil {
		return nil, err
	}
	from := max(after+1, l.oldest)
	to := min(from+int64(limit), int64(len(l.events)+1))
	if from >= to {
		return nil, nil
	}
	// A nil stands for one that is gone although older ones are not.
	return slices.DeleteFunc(slices.Clone(l.events[from-1:to-1]), func(e *hark.Event) bool { return e == nil }), nil
}

func (l *memory) Bounds(ctx context.Context, _ hark.ID) (oldest, last int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.oldest, int64(len(l.events)), l.check(ctx)
}

func (l *memory) Heads(ctx context.Context, _ []hark.ID) (map[hark.ID]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.check(ctx); err != nil && !l.gone {
		return nil, err
	}
	if l.gone {
		return nil, nil
	}
	return map[hark.ID]int64{l.project: int64(len(l.events))}, nil
}

// run starts a hub over l that stops with the returned function.
func run(tb testing.TB, l *memory, b pubsub.Broker, c stream.Config) (*stream.Hub, func()) {
	tb.Helper()
	h := stream.NewHub(l, b, slog.New(slog.DiscardHandler), c)
	ctx, cancel := context.WithCancel(context.Background())
	var g sync.WaitGroup
	g.Go(func() {
		if err := h.Run(ctx); err != nil {
			tb.Error(err)
		}
	})
	return h, func() { cancel(); g.Wait() }
}

func open(tb testing.TB, h *stream.Hub, l *memory, after int64) *stream.Reader {
	tb.Helper()
	o := stream.Options{}
	if after >= 0 {
		o.After = &hark.Cursor{Project: l.project, Sequence: after}
	}
	r, err := h.Open(context.Background(), l.project, o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// expect reads the events from to to.
func expect(tb testing.TB, r *stream.Reader, from, to int64) {
	tb.Helper()
	for s := from; s <= to; s++ {
		e, err := r.Next(context.Background())
		if err != nil {
			tb.Fatalf("sequence %d: %v", s, err)
		}
		if e.Sequence != s {
			tb.Fatalf("got sequence %d, want %d", e.Sequence, s)
		}
	}
}
