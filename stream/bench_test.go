package stream_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/stream"
)

// BenchmarkFanOut is one announced event until all readers have it.
func BenchmarkFanOut(b *testing.B) {
	for _, readers := range []int{1, 1000, 10_000} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			l, broker := newMemory(), pubsub.NewLocal()
			h, stop := run(b, l, broker, stream.Config{})
			var got, readerDone sync.WaitGroup
			for range readers {
				r := open(b, h, l, -1)
				readerDone.Go(func() {
					for {
						if _, err := r.Next(b.Context()); err != nil {
							return
						}
						got.Done()
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				got.Add(readers)
				broker.Publish(l.project, l.commit(1))
				got.Wait()
			}
			b.ReportMetric(float64(b.N*readers)/b.Elapsed().Seconds(), "deliveries/s")
			stop()
			readerDone.Wait()
		})
	}
}

// BenchmarkFlush is the same for readers that are asked in turn, as groups are.
func BenchmarkFlush(b *testing.B) {
	l, broker := newMemory(), pubsub.NewLocal()
	h, stop := run(b, l, broker, stream.Config{})
	defer stop()
	readers := make([]*stream.Reader, 1000)
	for i := range readers {
		readers[i] = open(b, h, l, -1)
	}
	b.ReportAllocs()
	for b.Loop() {
		broker.Publish(l.project, l.commit(1))
		for _, r := range readers {
			for ok := true; ok; {
				_, ok, _ = r.TryNext()
			}
		}
	}
	b.ReportMetric(float64(b.N*len(readers))/b.Elapsed().Seconds(), "deliveries/s")
}

// BenchmarkCatchUp is a reader that comes back 100,000 events later, over a
// database that takes no time.
func BenchmarkCatchUp(b *testing.B) {
	const behind = 100_000
	l := newMemory()
	l.commit(behind)
	h, stop := run(b, l, pubsub.NewLocal(), stream.Config{})
	defer stop()
	b.ReportAllocs()
	for b.Loop() {
		r, err := h.Open(b.Context(), l.project, stream.Options{After: &hark.Cursor{Project: l.project}})
		if err != nil {
			b.Fatal(err)
		}
		expect(b, r, 1, behind)
		r.Close()
	}
	b.ReportMetric(float64(b.N*behind)/b.Elapsed().Seconds(), "events/s")
}
