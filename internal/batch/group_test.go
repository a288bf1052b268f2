package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark/internal/batch"
)

// A desk records batches; each commit takes a second of the bubble's time.
type desk struct {
	mu      sync.Mutex
	batches [][]int
	running atomic.Int32
	fail    func(items []int) error
}

func (d *desk) commit(ctx context.Context, items []int) error {
	if d.running.Add(1) != 1 {
		panic("two commits at once")
	}
	defer d.running.Add(-1)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	d.batches = append(d.batches, slices.Clone(items))
	d.mu.Unlock()
	if d.fail != nil {
		return d.fail(items)
	}
	return nil
}

func itself(n int) int { return n }
func one(int) int      { return 1 }

// bring calls Do for each item, each in its goroutine, in this order.
func bring(ctx context.Context, g *batch.Group[int], items ...int) []<-chan error {
	var out []<-chan error
	for _, n := range items {
		done := make(chan error, 1)
		go func() { done <- g.Do(ctx, n) }()
		synctest.Wait()
		out = append(out, done)
	}
	return out
}

func wait(t *testing.T, done ...<-chan error) {
	t.Helper()
	for i, d := range done {
		if err := <-d; err != nil {
			t.Errorf("item %d: %v", i, err)
		}
	}
}

func (d *desk) want(t *testing.T, batches string) {
	t.Helper()
	if got := fmt.Sprint(d.batches); got != batches {
		t.Errorf("batches %s, want %s", got, batches)
	}
}

func TestBatchesFillWhileOneRuns(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		maxItems, maxBytes int
		size               func(int) int
		items              []int
		want               string
	}{
		"alone":                       {10, 100, one, []int{1}, "[[1]]"},
		"all that waits":              {10, 100, one, []int{1, 2, 3, 4}, "[[1] [2 3 4]]"},
		"items are limited":           {2, 100, one, []int{1, 2, 3, 4, 5, 6}, "[[1] [2 3] [4 5] [6]]"},
		"bytes are limited":           {10, 10, itself, []int{1, 4, 5, 6, 4, 1}, "[[1] [4 5] [6 4] [1]]"},
		"too big goes alone, in turn": {10, 10, itself, []int{1, 2, 50, 3, 4}, "[[1] [2] [50] [3 4]]"},
		"too big comes first":         {10, 10, itself, []int{50, 2, 3}, "[[50] [2 3]]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var d desk
				g := batch.New(tt.maxItems, tt.maxBytes, tt.size, d.commit)
				wait(t, bring(t.Context(), g, tt.items...)...)
				d.want(t, tt.want)
			})
		})
	}
}

func TestLeaderServesOneBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d desk
		g := batch.New(1, 100, one, d.commit)
		start := time.Now()
		done := bring(t.Context(), g, 1, 2, 3, 4, 5)
		for i, c := range done {
			wait(t, c)
			if got, want := time.Since(start), time.Duration(i+1)*time.Second; got != want {
				t.Errorf("item %d answered after %v, want %v", i+1, got, want)
			}
		}
	})
}

func TestBatchesLingerWhileThereAreMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d desk
		g := batch.New(10, 100, one, d.commit)
		g.Linger(300*time.Millisecond, 2)
		wait(t, bring(t.Context(), g, 1, 2, 3)...) // [1], then [2 3]
		start := time.Now()
		first := bring(t.Context(), g, 4)
		<-time.After(200 * time.Millisecond) // of the bubble
		wait(t, append(first, bring(t.Context(), g, 5)...)...)
		if got, want := time.Since(start), 1300*time.Millisecond; got != want {
			t.Errorf("answered after %v, want %v", got, want)
		}
		start = time.Now()
		done := bring(t.Context(), g, 6) // behind a batch of two
		wait(t, done...)
		wait(t, bring(t.Context(), g, 7)...) // behind a batch of one: at once
		if got, want := time.Since(start), 2300*time.Millisecond; got != want {
			t.Errorf("answered after %v, want %v", got, want)
		}
		d.want(t, "[[1] [2 3] [4 5] [6] [7]]")
	})
}

func TestLeadIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d desk
		g := batch.New(10, 100, one, d.commit)
		for n := range 3 {
			wait(t, bring(t.Context(), g, n)...)
		}
		d.want(t, "[[0] [1] [2]]")
	})
}

func TestWhoStillWaitsMayLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d desk
		g := batch.New(10, 100, one, d.commit)
		stay := bring(t.Context(), g, 1, 2)
		ctx, cancel := context.WithCancel(t.Context())
		gone := bring(ctx, g, 3)
		stay = append(stay, bring(t.Context(), g, 4)...)
		cancel()
		if err := <-gone[0]; !errors.Is(err, context.Canceled) {
			t.Errorf("left with %v", err)
		}
		wait(t, stay...)
		d.want(t, "[[1] [2 4]]")
	})
}

func TestEverybodyLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d desk
		g := batch.New(10, 100, one, d.commit)
		first := bring(t.Context(), g, 1)
		ctx, cancel := context.WithCancel(t.Context())
		gone := bring(ctx, g, 2, 3)
		cancel()
		for _, c := range gone {
			if err := <-c; !errors.Is(err, context.Canceled) {
				t.Errorf("left with %v", err)
			}
		}
		wait(t, first...)
		wait(t, bring(t.Context(), g, 4)...) // the lead is free
		d.want(t, "[[1] [4]]")
	})
}

func TestTakenIsCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d desk
		g := batch.New(10, 100, one, d.commit)
		ctx, cancel := context.WithCancel(t.Context())
		leader := bring(ctx, g, 1)
		cancel() // the commit of 1 runs
		wait(t, leader...)

		ctx, cancel = context.WithCancel(t.Context())
		done := bring(t.Context(), g, 2)
		done = append(done, bring(ctx, g, 3, 4)...)
		<-time.After(1500 * time.Millisecond) // of the bubble: the commit of 3 and 4 runs
		cancel()
		wait(t, done...)
		d.want(t, "[[1] [2] [3 4]]")
	})
}

func TestEndedContextBringsNothing(t *testing.T) {
	t.Parallel()
	var d desk
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := batch.New(10, 100, one, d.commit)
	if err := g.Do(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	d.want(t, "[]")
}

func TestErrorFailsItsBatchOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		d := desk{fail: func(items []int) error {
			if slices.Contains(items, 2) {
				return full
			}
			return nil
		}}
		g := batch.New(2, 100, one, d.commit)
		done := bring(t.Context(), g, 1, 2, 3, 4)
		for i, want := range []error{nil, full, full, nil} {
			if err := <-done[i]; err != want {
				t.Errorf("item %d: %v, want %v", i+1, err, want)
			}
		}
	})
}

func TestPanicDoesNotWedge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := desk{fail: func(items []int) error {
			if items[0] == 2 {
				panic("bug")
			}
			return nil
		}}
		g := batch.New(2, 100, one, d.commit)
		done := bring(t.Context(), g, 1)
		panicked := make(chan any)
		go func() {
			defer func() { panicked <- recover() }()
			_ = g.Do(t.Context(), 2)
		}()
		synctest.Wait()
		done = append(done, bring(t.Context(), g, 3, 4)...)
		if v := <-panicked; v != "bug" {
			t.Errorf("the leader recovered %v", v)
		}
		if err := <-done[1]; err == nil {
			t.Error("3 was in the batch that panicked, yet it got no error")
		}
		wait(t, done[0], done[2])
	})
}

// TestManyAtOnce counts under the race detector: each item that Do answered is
// committed exactly once, each that left is not.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	committed := make(map[int]int) // guarded by the group: one commit at a time
	g := batch.New(7, 100, one, func(_ context.Context, items []int) error {
		for _, n := range items {
			committed[n]++
		}
		return nil
	})
	const callers, each = 16, 500
	var left sync.Map
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				n := c*each + i
				ctx, cancel := context.WithCancel(t.Context())
				if n%3 == 0 {
					go cancel()
				}
				if err := g.Do(ctx, n); err != nil {
					left.Store(n, true)
				}
				cancel()
			}
		})
	}
	all.Wait()
	for n := range callers * each {
		_, gone := left.Load(n)
		if want := map[bool]int{true: 0, false: 1}[gone]; committed[n] != want {
			t.Fatalf("item %d committed %d times, want %d", n, committed[n], want)
		}
	}
}

func BenchmarkDo(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			var commits, items int
			g := batch.New(1000, 4<<20, one, func(_ context.Context, batch []int) error {
				commits++
				items += len(batch)
				return nil
			})
			b.ReportAllocs()
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := g.Do(b.Context(), 1); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(items)/float64(commits), "items/commit")
		})
	}
}
