package stream_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/stream"
)

func wantCode(t *testing.T, err error, code hark.Code) *hark.Error {
	t.Helper()
	e, ok := errors.AsType[*hark.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	return e
}

func TestStories(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(t *testing.T, h *stream.Hub, l *memory, b *network){
		"live": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			l.commit(3)
			r := open(t, h, l, -1)
			defer r.Close()
			b.Publish(l.project, l.commit(2))
			expect(t, r, 4, 5)
			if _, ok, err := r.TryNext(); ok || err != nil {
				t.Errorf("something behind the end: %v, %v", ok, err)
			}
			if l.reads > 0 {
				t.Errorf("%d reads of the database", l.reads)
			}
		},
		"what other nodes commit before Open is not news": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			first := open(t, h, l, -1)
			defer first.Close()
			late := l.commit(2)
			r := open(t, h, l, -1)
			defer r.Close()
			b.Publish(l.project, late)
			b.Publish(l.project, l.commit(1))
			expect(t, r, 3, 3)
			expect(t, first, 1, 3)
		},
		"a lost announcement is a second late": func(t *testing.T, h *stream.Hub, l *memory, _ *network) {
			r := open(t, h, l, -1)
			defer r.Close()
			begin := time.Now()
			l.commit(500)
			expect(t, r, 1, 500)
			if took := time.Since(begin); took > 1100*time.Millisecond {
				t.Errorf("took %v", took)
			}
		},
		"announcements in doubt are looked up at once": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			r := open(t, h, l, -1)
			defer r.Close()
			begin := time.Now()
			l.commit(1)
			b.doubt(l.project)
			expect(t, r, 1, 1)
			if took := time.Since(begin); took > 50*time.Millisecond {
				t.Errorf("took %v", took)
			}
		},
		"a hole that fills by itself costs no read": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			r := open(t, h, l, -1)
			defer r.Close()
			events := l.commit(3)
			b.Publish(l.project, events[2:])
			begin := time.Now()
			time.AfterFunc(time.Millisecond, func() { b.Publish(l.project, events[:2]) })
			expect(t, r, 1, 3)
			if took := time.Since(begin); took != time.Millisecond {
				t.Errorf("took %v, though it had filled after 1ms", took)
			}
			<-time.After(time.Second / 2)
			if l.reads > 0 {
				t.Errorf("%d reads", l.reads)
			}
		},
		"a hole is read once for all": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			var readers []*stream.Reader
			for range 50 {
				r := open(t, h, l, -1)
				defer r.Close()
				readers = append(readers, r)
			}
			b.Publish(l.project, l.commit(3)[2:])
			for _, r := range readers {
				expect(t, r, 1, 3)
			}
			if s := h.Stats(); l.reads != 1 || s.Holes != 1 || s.Readers != 50 || s.RingEvents != 3 {
				t.Errorf("%d reads, %+v", l.reads, s)
			}
		},
		"returning readers share the pages": func(t *testing.T, h *stream.Hub, l *memory, _ *network) {
			l.commit(1000)
			var readers []*stream.Reader
			for range 50 {
				r := open(t, h, l, 10)
				defer r.Close()
				readers = append(readers, r)
			}
			for s := int64(11); s <= 1000; s++ {
				for _, r := range readers {
					expect(t, r, s, s)
				}
			}
			if l.reads != 8 { // pages of 128
				t.Errorf("%d reads", l.reads)
			}
		},
		"cursors outside of the log": func(t *testing.T, h *stream.Hub, l *memory, _ *network) {
			l.commit(10)
			l.change(func(l *memory) { l.oldest = 6 })
			for _, after := range []int64{4, 11} {
				_, err := h.Open(t.Context(), l.project, stream.Options{After: &hark.Cursor{Project: l.project, Sequence: after}})
				e := wantCode(t, err, hark.CursorExpired)
				c, err := hark.ParseCursor(l.project, e.Details["oldestCursor"].(string))
				if err != nil || c.Sequence != 5 {
					t.Errorf("oldestCursor is %+v, %v", c, err)
				}
			}
			for _, after := range []int64{5, 10} {
				r := open(t, h, l, after)
				expect(t, r, after+1, 10)
				r.Close()
			}
		},
		"retention overtakes a slow reader": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			r := open(t, h, l, -1)
			defer r.Close()
			b.Publish(l.project, l.commit(5))
			expect(t, r, 1, 2)
			b.Publish(l.project, l.commit(100)) // out of the ring of 16
			l.change(func(l *memory) { l.oldest = 50 })
			_, err := r.Next(t.Context())
			e := wantCode(t, err, hark.CursorExpired)
			c, err := hark.ParseCursor(l.project, e.Details["oldestCursor"].(string))
			if err != nil || c.Sequence != 49 {
				t.Errorf("oldestCursor is %+v, %v", c, err)
			}
			again := open(t, h, l, c.Sequence)
			defer again.Close()
			expect(t, again, 50, 105)
		},
		"without retention": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			r := open(t, h, l, -1)
			defer r.Close()
			events := l.commit(5)
			l.change(func(l *memory) { l.oldest = 6 })
			b.Publish(l.project, events[:2])
			expect(t, r, 1, 2)
			b.Publish(l.project, events[3:]) // 3 is lost for good
			_, err := r.Next(t.Context())
			wantCode(t, err, hark.CursorExpired)
			late := open(t, h, l, -1)
			defer late.Close()
			more := l.commit(1)
			l.change(func(l *memory) { l.oldest = 7 })
			b.Publish(l.project, more)
			expect(t, late, 6, 6)
		},
		"an event that is gone before an older one": func(t *testing.T, h *stream.Hub, l *memory, _ *network) {
			l.commit(100)
			l.change(func(l *memory) { l.events[49] = nil })
			r := open(t, h, l, 0)
			defer r.Close()
			expect(t, r, 1, 49)
			_, err := r.Next(t.Context())
			wantCode(t, err, hark.CursorExpired)
		},
		"the database is away": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			l.commit(100)
			r, live := open(t, h, l, 0), open(t, h, l, -1)
			defer r.Close()
			defer live.Close()
			away := time.Now()
			l.change(func(l *memory) { l.broken = func() bool { return time.Since(away) < time.Minute } })
			b.Publish(l.project, l.commit(1))
			expect(t, live, 101, 101) // does not need it
			if _, err := h.Open(t.Context(), l.project, stream.Options{}); !errors.Is(err, errAway) {
				t.Errorf("Open: %v", err)
			}
			expect(t, r, 1, 101)
			if took := time.Since(away); took < time.Minute || took > time.Minute+3*time.Second || l.reads > 60 {
				t.Errorf("took %v and %d reads", took, l.reads)
			}
		},
		"the project is deleted": func(t *testing.T, h *stream.Hub, l *memory, _ *network) {
			r := open(t, h, l, -1)
			defer r.Close()
			l.change(func(l *memory) { l.gone = true })
			_, err := r.Next(t.Context())
			wantCode(t, err, hark.NotFound)
			_, err = h.Open(t.Context(), l.project, stream.Options{})
			wantCode(t, err, hark.NotFound)
		},
		"an older database is restored": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			r := open(t, h, l, -1)
			defer r.Close()
			b.Publish(l.project, l.commit(10))
			expect(t, r, 1, 10)
			l.change(func(l *memory) { l.events = l.events[:5] })
			_, err := r.Next(t.Context())
			wantCode(t, err, hark.CursorExpired)
		},
		"an announcement of what the database does not have": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			r := open(t, h, l, -1)
			defer r.Close()
			l.commit(5)
			begin := time.Now()
			b.Publish(l.project, []*hark.Event{{ProjectID: l.project, Sequence: 10}})
			expect(t, r, 1, 5)
			_, err := r.Next(t.Context())
			wantCode(t, err, hark.CursorExpired)
			if took := time.Since(begin); took > 100*time.Millisecond {
				t.Errorf("took %v", took)
			}
		},
		"closing among the parked": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			woken := make([]int, 50)
			readers := make([]*stream.Reader, len(woken))
			for i := range readers {
				var err error
				if readers[i], err = h.Open(t.Context(), l.project, stream.Options{Wake: func() { woken[i]++ }}); err != nil {
					t.Fatal(err)
				}
				if _, ok, err := readers[i].TryNext(); ok || err != nil {
					t.Fatal(ok, err)
				}
			}
			for _, i := range rand.Perm(len(readers))[:40] {
				readers[i].Close()
				woken[i] = 0
				readers[i] = nil
			}
			b.Publish(l.project, l.commit(1))
			for i, r := range readers {
				if r != nil && woken[i] != 1 || r == nil && woken[i] > 0 {
					t.Errorf("reader %d (open: %v) was woken %d times", i, r != nil, woken[i])
				}
				if r != nil {
					expect(t, r, 1, 1)
					r.Close()
				}
			}
		},
		"match and wake": func(t *testing.T, h *stream.Hub, l *memory, b *network) {
			woken := make(chan struct{}, 100)
			r, err := h.Open(t.Context(), l.project, stream.Options{
				Match: func(e *hark.Event) bool { return e.Sequence%3 == 0 },
				Wake:  func() { woken <- struct{}{} },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for i := range 3 {
				if _, ok, err := r.TryNext(); ok || err != nil {
					t.Fatal(ok, err)
				}
				if c := r.Cursor(); c != (hark.Cursor{Project: l.project, Sequence: int64(i)}) {
					t.Errorf("the cursor is %+v behind %d", c, i)
				}
				if len(woken) != i {
					t.Fatalf("woken %d times, want %d", len(woken), i)
				}
				b.Publish(l.project, l.commit(1))
			}
			b.Publish(l.project, l.commit(1)) // not parked: not woken
			if e, ok, err := r.TryNext(); !ok || err != nil || e.Sequence != 3 || len(woken) != 3 {
				t.Errorf("got %+v, %v, %v, woken %d times", e, ok, err, len(woken))
			}
		},
		"close wakes Next": func(t *testing.T, h *stream.Hub, l *memory, _ *network) {
			r := open(t, h, l, -1)
			time.AfterFunc(time.Second, r.Close)
			if _, err := r.Next(t.Context()); err == nil {
				t.Error("no error from a closed reader")
			}
			r.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			r = open(t, h, l, -1)
			defer r.Close()
			if _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		},
		"empty rooms close after a while": func(t *testing.T, h *stream.Hub, l *memory, _ *network) {
			open(t, h, l, -1).Close()
			<-time.After(4 * time.Second)
			if s := h.Stats(); s.Projects != 1 || s.Readers != 0 {
				t.Errorf("%+v", s)
			}
			<-time.After(3 * time.Second)
			if s := h.Stats(); s.Projects != 0 {
				t.Errorf("%+v", s)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, b := newMemory(), newNetwork()
				h, stop := run(t, l, b, stream.Config{RingEvents: 16})
				story(t, h, l, b)
				stop()
			})
		})
	}
}

func TestDraining(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newMemory()
		h, stop := run(t, l, pubsub.NewLocal(), stream.Config{})
		r := open(t, h, l, -1)
		time.AfterFunc(time.Second, stop)
		if _, err := r.Next(t.Context()); !errors.Is(err, stream.ErrDraining) {
			t.Error(err)
		}
		r.Close()
		if _, err := h.Open(t.Context(), l.project, stream.Options{}); !errors.Is(err, stream.ErrDraining) {
			t.Error(err)
		}
	})
}
