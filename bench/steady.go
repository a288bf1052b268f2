package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// steadyRate is how many events a second come one by one.
const steadyRate = 1000

// A clock is a subscriber in this process that keeps how long each event was on its way.
type clock struct {
	mu   sync.Mutex
	took latencies
}

func (c *clock) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	now := time.Now()
	body, err := io.ReadAll(r.Body)
	_, rest, ok := bytes.Cut(body, []byte(mark))
	if err != nil || !ok || len(rest) < len(digits) {
		return // it is missed in the count
	}
	ns, err := strconv.ParseInt(string(rest[:len(digits)]), 10, 64)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = append(c.took, now.Sub(time.Unix(0, ns)))
}

func (c *clock) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = nil
}

// steady measures publish to webhook at steadyRate, beside the same POST
// without hark between.
func steady(ctx context.Context, b *bench) (r result, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	c := &clock{}
	subscriber := &http.Server{Handler: c, ReadHeaderTimeout: time.Minute}
	go func() { _ = subscriber.Serve(ln) }() // until it is closed
	defer func() { err = errors.Join(err, subscriber.Close()) }()

	if err := paced(ctx, "http://"+ln.Addr().String(), b.length/2); err != nil {
		return r, err
	}
	r.limits = []limit{{"POST to the subscriber, ms p99", milliseconds(c.took.quantile(.99))}}

	s, err := b.start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if _, err := s.subscribe(ctx, byHTTP(), "http://"+ln.Addr().String(), "update"); err != nil {
		return r, err
	}
	if err := paced(ctx, s.url(), warmUp); err != nil {
		return r, err
	}
	c.reset()
	before := readUsage(s.pid)
	if err := paced(ctx, s.url(), b.length); err != nil {
		return r, err
	}
	r.noise = readUsage(s.pid).noise(before)
	time.Sleep(200 * time.Millisecond) // for what is still under way
	c.mu.Lock()
	defer c.mu.Unlock()
	r.value, r.detail = milliseconds(c.took.quantile(.99)), c.took.String()
	return r, nil
}

// paced posts single events for d, steadyRate a second.
func paced(ctx context.Context, url string, d time.Duration) error {
	p := newPoster(url, connections)
	defer p.close()
	body := publishBody(1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var posting sync.WaitGroup
	start := time.Now()
	for i := 0; time.Since(start) < d && ctx.Err() == nil; i++ {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / steadyRate)))
		posting.Go(func() {
			if err := p.post(ctx, stamped(body)); err != nil {
				cancel(err)
			}
		})
	}
	posting.Wait()
	return context.Cause(ctx)
}
