package websocket

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/following"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/wire"
	"github.com/hark-events/hark/stream"
)

// A running operation has an id that is free again as soon as either side ends it.
type running struct {
	conn      *conn
	id        string
	next      string      // what stands before a payload
	after     string      // where a subscription was lost
	begun     hark.Cursor // where it began here
	following *following.Following
}

var _ following.Out = (*running)(nil)

// start begins the operation of a subscribe message.
func (c *conn) start(ctx context.Context, m message) error {
	session := c.current()
	if session == nil {
		return &closing{code: 4401, reason: "Unauthorized"}
	}
	if m.ID == nil || *m.ID == "" {
		return malformed("The message needs an id")
	}
	req, err := request(m.Payload)
	if err != nil {
		return err
	}
	if !c.runs(*m.ID) { // else it is to be closed, whatever else is wrong
		if err := session.Admit(ctx); err != nil {
			return c.refuse(ctx, *m.ID, err)
		}
	}
	if former := c.former; former != "" {
		// The client has heard connection_ack, so it comes back with the new session.
		c.former = ""
		c.all.Go(func() { c.sessions.drop(ctx, former) })
	}
	quoted, _ := json.Marshal(*m.ID) // a string always can be
	op := &running{conn: c, id: *m.ID, next: `{"id":` + string(quoted) + `,"type":"` + c.next + `","payload":`}
	op.following = following.New(session, c.groups, op)
	taken, full, over := c.add(op)
	switch {
	case over: // nobody would stop it
		return cause(ctx)
	case taken:
		return &closing{code: 4409, reason: cut("Subscriber for " + op.id + " already exists")}
	case full:
		return c.refuse(ctx, op.id, c.audience.Meet(audience.Operations,
			"a connection runs %d operations at once: end one, or open another connection", c.limits.Operations))
	}
	c.all.Go(func() {
		op.run(ctx, session, req)
		c.mu.Lock()
		c.live--
		c.mu.Unlock()
	})
	return nil
}

// refuse answers that an operation does not begin. The others go on.
func (c *conn) refuse(ctx context.Context, id string, why error) error {
	a := c.executor.Refuse(ctx, why)
	return c.reply(appendMessage(id, "error", c.errorPayload(a.Errors)))
}

// runs tells whether an id is taken.
func (c *conn) runs(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(id) >= 0
}

// find gives the place of an operation; -1: the id is free. It is called with the
// mutex held.
func (c *conn) find(id string) int {
	return slices.IndexFunc(c.operations, func(o *running) bool { return o.id == id })
}

// add takes a place for an operation, and the position where it is to go on.
func (c *conn) add(op *running) (taken, full, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.find(op.id) >= 0 {
		return !c.over, false, c.over
	}
	// What was cancelled lives on for a moment: a client that starts and stops
	// without end must not pile it up.
	if len(c.operations) >= c.limits.Operations || c.live >= 2*c.limits.Operations {
		return false, true, false
	}
	c.operations = append(c.operations, op)
	c.live++
	op.after = c.resume[op.id]
	delete(c.resume, op.id)
	return false, false, false
}

// run executes the operation and writes its answer, then `complete`; or
// `error`, which ends it too. It returns when a subscription goes on by itself.
// What the client ended is not answered any more. The log has a line of it, of
// a subscription when it has begun.
func (o *running) run(ctx context.Context, s *authority.Session, req operation.Request) {
	viewer, _, err := s.Current()
	if err != nil {
		return // the connection closes
	}
	start, own := time.Now(), wire.Within(ctx)
	wire.Note(own, slog.String("identity", viewer.IdentityID.String()), slog.String("id", cut(o.id)))
	op, err := o.conn.executor.Prepare(hark.WithViewer(own, viewer), req)
	switch {
	case err != nil:
		o.following.End(own, err)
	case op.Kind() == ast.Subscription:
		o.following.Run(ctx, op.Source(), o.after)
	default:
		o.following.Once(own, op.Answer)
	}
	wire.Log(own, o.conn.log, "operation", slog.Duration("took", time.Since(start)))
}

// Begin notes where the stream begins: the protocol has no place to tell it.
func (o *running) Begin(at hark.Cursor) {
	if o.begun == (hark.Cursor{}) {
		o.begun = at
	}
}

// End frees the id, then tells the client, who may use it again at once.
func (o *running) End(ctx context.Context, why error) {
	c := o.conn
	last := c.executor.Last(ctx, why)
	if last != nil && last.Draining {
		c.end(restarting())
		return
	}
	c.mu.Lock()
	if i := slices.Index(c.operations, o); i >= 0 {
		c.operations = slices.Delete(c.operations, i, i+1)
	}
	c.mu.Unlock()
	if last == nil {
		_ = c.reply(appendMessage(o.id, "complete", nil)) // who is gone needs no word
		return
	}
	_ = c.reply(appendMessage(o.id, "error", c.errorPayload(last.Errors)))
}

// stop ends an operation for the client, and tells where it was. It waits for a
// write that is under way, so that nothing of the old operation follows under
// an id used anew.
func (o *running) stop() (at string) {
	if c := o.following.Stop(); c != (hark.Cursor{}) {
		return c.String()
	}
	return o.after
}

// cancel stops the operation of an id, which is free again.
func (c *conn) cancel(id string) {
	c.mu.Lock()
	var op *running
	if i := c.find(id); i >= 0 {
		op = c.operations[i]
		c.operations = slices.Delete(c.operations, i, i+1)
	}
	delete(c.resume, id)
	c.mu.Unlock()
	if op != nil {
		op.stop()
	}
}

// stopAll stops all operations of a connection that ends, and tells where they
// were, whose session it was and, in c.begins, where they had begun.
func (c *conn) stopAll() (positions, *authority.Session) {
	c.mu.Lock()
	c.over = true
	c.beat.Stop()
	all, at, session := c.operations, c.resume, c.session
	c.operations, c.resume = nil, nil
	c.mu.Unlock()
	if at == nil {
		at = positions{}
	}
	c.begins = maps.Clone(at)
	for _, op := range all {
		if cursor := op.stop(); cursor != "" {
			at[op.id] = cursor
			if c.begins[op.id] = op.after; op.begun != (hark.Cursor{}) {
				c.begins[op.id] = op.begun.String()
			}
		}
	}
	return at, session
}

// Lane names the bytes around a payload.
func (o *running) Lane() string { return o.next }

// Append appends a frame to be written.
func (o *running) Append(b []byte, f stream.Frame) []byte {
	return appendFrame(b, o.next, f.Payload, "}")
}

// TryWrite writes frames without waiting.
func (o *running) TryWrite(b []byte) error { return o.conn.check(o.conn.out.TryWrite(b)) }

// Flush waits until all is written.
func (o *running) Flush() error { return o.conn.check(o.conn.out.Flush()) }

// Write writes frames, and waits.
func (o *running) Write(b []byte) error { return o.conn.write(b) }
