package websocket

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/stream"
)

// maxOperations is how many operations a connection may have at once.
const maxOperations = 100

// A running operation has an id that is free again as soon as either side ends it.
type running struct {
	conn   *conn
	id     string
	next   string // what stands before a payload
	cancel context.CancelFunc

	mu        sync.Mutex // held for a write that is not its group's
	stopped   bool       // the client wants no more
	following *operation.Following
}

var _ operation.Out = (*running)(nil)

// start begins the operation of a subscribe message.
func (c *conn) start(ctx context.Context, m message) error {
	session := c.current()
	if session == nil {
		return &closing{4401, "Unauthorized"}
	}
	if m.ID == nil || *m.ID == "" {
		return malformed("The message needs an id")
	}
	req, err := request(m.Payload)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	quoted, _ := json.Marshal(*m.ID) // a string always can be
	op := &running{conn: c, id: *m.ID, cancel: cancel, next: `{"id":` + string(quoted) + `,"type":"` + c.next + `","payload":`}

	c.mu.Lock()
	_, taken := c.operations[op.id]
	// What was cancelled lives on for a moment: a client that starts and stops
	// without end must not pile it up.
	full := len(c.operations) >= maxOperations || c.live >= 2*maxOperations
	if !taken && !full {
		if c.operations == nil {
			c.operations = make(map[string]*running, 1)
		}
		c.operations[op.id] = op
		c.live++
	}
	c.mu.Unlock()
	switch {
	case taken:
		cancel()
		return &closing{4409, cut("Subscriber for " + op.id + " already exists")}
	case full:
		cancel()
		a := c.executor.Refuse(ctx, hark.Errorf(hark.RateLimited,
			"a connection runs %d operations at once: end one, or open another connection", maxOperations))
		return c.reply(appendMessage(op.id, "error", c.errorPayload(a.Errors)))
	}
	c.all.Go(func() {
		op.run(ctx, session, req)
		c.mu.Lock()
		c.live--
		c.mu.Unlock()
	})
	return nil
}

// run executes the operation and writes its answer, then `complete`; or
// `error`, which ends it too. It returns when a subscription goes on by itself.
// What the client ended is not answered any more.
func (o *running) run(ctx context.Context, s *authority.Session, req operation.Request) {
	c := o.conn
	viewer, _, err := s.Current()
	if err != nil {
		return // the connection closes
	}
	ctx = hark.WithViewer(ctx, viewer)
	prepared, err := c.executor.Prepare(ctx, req)
	if err != nil {
		a := c.executor.Refuse(ctx, err)
		o.finish(&a)
		return
	}
	if prepared.Kind() == ast.Subscription {
		o.mu.Lock()
		o.following = prepared.Follow(ctx, s, c.groups, o)
		stopped := o.stopped
		o.mu.Unlock()
		if !stopped {
			o.following.Run()
		}
		return
	}
	a := prepared.Execute(ctx)
	if a.Refused != nil {
		o.finish(&a)
		return
	}
	o.mu.Lock()
	if !o.stopped {
		_ = o.Write(appendFrame(nil, o.next, a.Payload, "}")) // who is gone needs no word
	}
	o.mu.Unlock()
	if _, _, err := s.Current(); err == nil && ctx.Err() == nil {
		o.finish(nil)
	}
}

// finish is End, unless the client was faster.
func (o *running) finish(last *operation.Answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.stopped {
		o.End(last)
	}
}

// Begin does nothing: the protocol has no place for where a stream begins.
func (*running) Begin(hark.Cursor) {}

// End frees the id, then tells the client, who may use it again at once.
func (o *running) End(last *operation.Answer) {
	c := o.conn
	if last != nil && last.Draining {
		c.end(restarting())
		return
	}
	c.mu.Lock()
	if c.operations[o.id] == o {
		delete(c.operations, o.id)
	}
	c.mu.Unlock()
	o.cancel()
	if last == nil {
		_ = c.reply(appendMessage(o.id, "complete", nil)) // who is gone needs no word
		return
	}
	_ = c.reply(appendMessage(o.id, "error", c.errorPayload(last.Errors)))
}

// stop ends an operation for the client. It waits for a write that is under
// way, so that nothing of the old operation follows under an id used anew.
func (o *running) stop() {
	o.cancel()
	o.mu.Lock()
	o.stopped = true
	following := o.following
	o.mu.Unlock()
	if following != nil {
		following.Stop()
	}
}

// cancel stops the operation of an id, which is free again.
func (c *conn) cancel(id string) {
	c.mu.Lock()
	op := c.operations[id]
	delete(c.operations, id)
	c.mu.Unlock()
	if op != nil {
		op.stop()
	}
}

// stopAll stops all operations of a connection that has ended.
func (c *conn) stopAll() {
	c.mu.Lock()
	all := c.operations
	c.operations = nil
	c.mu.Unlock()
	for _, op := range all {
		op.stop()
	}
}

// Lane names the bytes around a payload.
func (o *running) Lane() string { return o.next }

// Append appends a frame to be written.
func (o *running) Append(b []byte, f stream.Frame) []byte {
	return appendFrame(b, o.next, f.Payload, "}")
}

// TryWrite writes frames without waiting.
func (o *running) TryWrite(b []byte) error {
	switch err := o.conn.out.TryWrite(b); {
	case errors.Is(err, socket.ErrBusy):
		return stream.ErrBusy
	case errors.Is(err, socket.ErrRest):
		return stream.ErrRest
	default:
		return o.conn.check(err)
	}
}

// Flush waits until all is written.
func (o *running) Flush() error { return o.conn.check(o.conn.out.Flush()) }

// Write writes frames, and waits.
func (o *running) Write(b []byte) error { return o.conn.write(b) }
