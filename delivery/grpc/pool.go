package grpc

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

const (
	// idleTimeout closes a connection without calls.
	idleTimeout = 90 * time.Second
	// maxIdle is how many connections without calls are kept.
	maxIdle = 4096
)

var errClosed = errors.New("hark is shutting down")

// A pool keeps one connection for each endpoint.
type pool struct {
	dial        Dial
	conf        *tls.Config
	userAgent   string
	idleTimeout time.Duration

	mu          sync.Mutex
	closed      bool
	connections map[endpoint]*connection
	idle        int // how many of them are without calls
}

func newPool(dial Dial, conf *tls.Config, userAgent string) *pool {
	if conf == nil {
		conf = &tls.Config{}
	}
	conf = conf.Clone()
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	return &pool{dial: dial, conf: conf, userAgent: userAgent, idleTimeout: idleTimeout, connections: make(map[endpoint]*connection)}
}

// call sends message to an endpoint. A connection on which no answer came is
// not used again: the next call dials, without waiting for gRPC's back-off,
// since hark has a schedule of its own.
func (p *pool) call(ctx context.Context, to endpoint, message []byte) *answer {
	c, err := p.take(to)
	if err != nil {
		return &answer{code: codes.Unavailable, cause: err}
	}
	a := c.call(ctx, message)
	p.give(c, a.came)
	return a
}

func (p *pool) take(to endpoint) (*connection, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	c, ok := p.connections[to]
	if !ok {
		var err error
		if c, err = connect(to, p.dial, p.conf, p.userAgent); err != nil {
			return nil, err
		}
		c.idle = time.AfterFunc(p.idleTimeout, func() { p.expire(c) })
		p.connections[to] = c
		p.idle++
	}
	if c.calls == 0 {
		p.idle--
	}
	c.calls++
	return c, nil
}

// give ends a call. A good connection stays in the pool.
func (p *pool) give(c *connection, good bool) {
	p.mu.Lock()
	c.calls--
	if c.calls == 0 && !c.retired {
		p.idle++
		c.idle.Reset(p.idleTimeout)
		good = good && p.idle <= maxIdle
	}
	if !good {
		p.retire(c)
	}
	last := c.retired && c.calls == 0
	p.mu.Unlock()
	if last {
		_ = c.client.Close() // it says only whether it was closed before
	}
}

// retire takes c out of the pool, if it is there. The lock is held.
func (p *pool) retire(c *connection) {
	if c.retired {
		return
	}
	c.retired = true
	c.idle.Stop()
	delete(p.connections, c.to)
	if c.calls == 0 {
		p.idle--
	}
}

func (p *pool) expire(c *connection) {
	p.mu.Lock()
	unused := c.calls == 0 && !c.retired
	if unused {
		p.retire(c)
	}
	p.mu.Unlock()
	if unused {
		_ = c.client.Close() // see give
	}
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	var all []*connection
	for _, c := range p.connections {
		p.retire(c)
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		_ = c.client.Close() // see give
	}
}
