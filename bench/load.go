package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A poster POSTs over kept-alive connections with net/http, as a publisher written in Go does.
type poster struct {
	client *http.Client
	url    string
	header http.Header
}

func newPoster(url string, conns int) *poster {
	return &poster{
		client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConns: conns, MaxIdleConnsPerHost: conns}},
		url:    url, header: headers(),
	}
}

func (p *poster) close() { p.client.CloseIdleConnections() }

// post sends one body. An answer with errors is an error.
func (p *poster) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = p.header
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // it was read
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || bytes.HasPrefix(answer, []byte(`{"errors"`)) {
		return fmt.Errorf("answered %s: %s", res.Status, answer)
	}
	return nil
}

// load posts from conns goroutines for d, and gives requests per second and
// their latencies. A goroutine stops while more says no.
func (p *poster) load(ctx context.Context, conns int, d time.Duration, body func() []byte) (rate float64, took latencies, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var total atomic.Int64
	each := make([]latencies, conns)
	start := time.Now()
	var posting sync.WaitGroup
	for i := range conns {
		posting.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if began.Sub(start) > d {
					return
				}
				if err := p.post(ctx, body()); err != nil {
					cancel(err)
					return
				}
				each[i] = append(each[i], time.Since(began))
				total.Add(1)
			}
		})
	}
	posting.Wait()
	elapsed := time.Since(start)
	for _, l := range each {
		took = append(took, l...)
	}
	return float64(total.Load()) / elapsed.Seconds(), took, context.Cause(ctx)
}
