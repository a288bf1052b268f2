package websocket

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
)

// maxOperations is how many operations a connection may have at once.
const maxOperations = 100

// A running operation has an id that is free again as soon as either side ends it.
type running struct {
	id      string
	cancel  context.CancelFunc
	stopped bool // the client wants no more; guarded by conn.writing
}

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
	op := &running{id: *m.ID, cancel: cancel}

	c.mu.Lock()
	_, taken := c.operations[op.id]
	// What was cancelled lives on for a moment: a client that starts and stops
	// without end must not pile it up.
	full := len(c.operations) >= maxOperations || c.live >= 2*maxOperations
	if !taken && !full {
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
		defer func() {
			cancel()
			c.mu.Lock()
			c.live--
			c.mu.Unlock()
		}()
		c.run(ctx, op, session, req)
	})
	return nil
}

// run executes the operation and writes its answers, then `complete`; or
// `error`, which ends it too. What the client ended is not answered any more.
func (c *conn) run(ctx context.Context, op *running, s *authority.Session, req operation.Request) {
	viewer, _, err := s.Current()
	if err != nil {
		return // the connection closes
	}
	ctx = hark.WithViewer(ctx, viewer)
	prepared, err := c.executor.Prepare(ctx, req)
	if err != nil {
		c.finish(op, "error", c.errorPayload(c.executor.Refuse(ctx, err).Errors))
		return
	}
	for a := range prepared.Answers(ctx, s) {
		if a.Draining {
			c.end(restarting())
			return
		}
		if a.Refused != nil {
			c.finish(op, "error", c.errorPayload(a.Errors))
			return
		}
		if a.Payload == nil {
			continue // where the stream begins: the protocol has no place for it
		}
		if c.write(op, appendMessage(op.id, c.next, a.Payload)) != nil {
			return
		}
	}
	if _, _, err := s.Current(); err == nil && ctx.Err() == nil {
		c.finish(op, "complete", nil)
	}
}

// finish frees the id, then tells the client, who may use it again at once.
func (c *conn) finish(op *running, kind string, payload []byte) {
	c.free(op)
	_ = c.write(op, appendMessage(op.id, kind, payload)) // who is gone needs no word
}

func (c *conn) free(op *running) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.operations[op.id] == op {
		delete(c.operations, op.id)
	}
}

// cancel ends an operation for the client. It waits for a write that is under
// way, so that nothing of the old operation follows under an id used anew.
func (c *conn) cancel(id string) {
	c.mu.Lock()
	op := c.operations[id]
	delete(c.operations, id)
	c.mu.Unlock()
	if op == nil {
		return
	}
	op.cancel()
	c.writing.Lock()
	op.stopped = true
	c.writing.Unlock()
}
