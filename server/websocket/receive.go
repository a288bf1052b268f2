package websocket

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"strings"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/wire"
)

// receive handles one message; its error closes the connection.
func (c *conn) receive(ctx context.Context, m message) error {
	switch m.Type {
	case "connection_init":
		return c.init(ctx, m.Payload)
	case c.subscribe:
		return c.start(ctx, m)
	case c.stop:
		if m.ID == nil || *m.ID == "" {
			return malformed("The message needs an id")
		}
		c.cancel(*m.ID)
		if c.legacy {
			return c.reply(appendMessage(*m.ID, "complete", nil))
		}
		return nil
	case "ping":
		if !c.legacy {
			return c.reply(appendMessage("", "pong", m.Payload))
		}
	case "pong":
		if !c.legacy {
			return nil
		}
	case "connection_terminate":
		if c.legacy {
			return &closing{code: websocket.StatusNormalClosure, reason: "Terminated"}
		}
	}
	return malformed("Invalid message received")
}

// reply writes from the read loop; what cannot be written ends it.
func (c *conn) reply(message []byte) error {
	if c.write(appendFrame(nil, "", message, "")) != nil {
		return &closing{reason: "the client does not read"}
	}
	return nil
}

// init begins the session of whom the payload's token stands for, or else the header's.
func (c *conn) init(ctx context.Context, payload json.RawMessage) error {
	if c.current() != nil {
		return &closing{code: 4429, reason: "Too many initialisation requests"}
	}
	given, err := readOpening(payload)
	if err != nil {
		return err
	}
	viewer, err := c.viewer(ctx, given)
	if err != nil {
		e := wire.Classify(err)
		wire.LogInternal(ctx, c.log, e)
		if c.legacy {
			quoted, _ := json.Marshal(map[string]string{"message": e.Message}) // strings always can be
			_ = c.reply(appendMessage("", "connection_error", quoted))         // the close says it too
		}
		return closingOf(err)
	}
	if err := c.seat.Identity(viewer.IdentityID); err != nil {
		return closingOf(err)
	}
	resume := c.position(ctx, given, viewer)
	session := authority.NewSession(c.access, viewer)
	c.mu.Lock()
	c.session, c.resume = session, resume
	over := c.over
	c.mu.Unlock()
	if over {
		return cause(ctx)
	}
	session.Keep(ctx, func(err error) {
		wire.LogInternal(ctx, c.log, wire.Classify(err))
		c.end(closingOf(err))
	})
	if viewer != c.fromHeader { // which is noted
		wire.Note(ctx, slog.String("identity", viewer.IdentityID.String()))
	}
	if c.legacy {
		if err := c.reply(appendMessage("", "connection_ack", nil)); err != nil {
			return err
		}
		return c.reply(appendMessage("", "ka", nil))
	}
	return c.reply(appendMessage("", "connection_ack", []byte(`{"session":"`+c.sessions.begin(c)+`"}`)))
}

// position is where the client's operations are to go on: a client that keeps
// cursors has had nothing of those that it does not name.
func (c *conn) position(ctx context.Context, given opening, v *hark.Viewer) positions {
	if given.session == "" {
		return given.cursors
	}
	l := c.sessions.of(ctx, given.session, v.IdentityID)
	if l.At != nil {
		c.former = given.session
	}
	if given.cursors == nil {
		return l.At
	}
	if l.Begin == nil {
		return given.cursors
	}
	maps.Copy(l.Begin, given.cursors)
	return l.Begin
}

// An opening is what the payload of connection_init says.
type opening struct {
	authorization string
	session       string    // of an earlier connection_ack
	cursors       positions // that the client has kept itself
}

func readOpening(payload json.RawMessage) (o opening, err error) {
	var given map[string]json.RawMessage
	if len(payload) > 0 && json.Unmarshal(payload, &given) != nil {
		return o, malformed("The payload of connection_init must be an object")
	}
	for name, raw := range given {
		switch {
		case strings.EqualFold(name, "authorization"):
			_ = json.Unmarshal(raw, &o.authorization) // what is no text is no token
		case name == "session" && json.Unmarshal(raw, &o.session) != nil:
			return o, malformed("session must be that of a connection_ack")
		case name == "cursors" && json.Unmarshal(raw, &o.cursors) != nil:
			return o, malformed("cursors must be cursors by the ids of operations")
		}
	}
	return o, nil
}

// viewer is whom the payload's token stands for, or else the header's.
func (c *conn) viewer(ctx context.Context, given opening) (*hark.Viewer, error) {
	if given.authorization != "" {
		return authority.Viewer(ctx, c.access, given.authorization)
	}
	if c.fromHeader != nil {
		return c.fromHeader, nil
	}
	return nil, hark.Errorf(hark.Unauthenticated, `send {"authorization":"Bearer <token>"} with connection_init`)
}

// request reads the payload of a subscribe message.
func request(payload json.RawMessage) (req operation.Request, err error) {
	var p struct {
		Query         *string         `json:"query"`
		OperationName *string         `json:"operationName"`
		Variables     json.RawMessage `json:"variables"`
		Extensions    json.RawMessage `json:"extensions"`
	}
	switch {
	case !isObject(payload) || json.Unmarshal(payload, &p) != nil:
		return req, malformed("The message needs a payload with a query")
	case p.Query == nil && !bytes.Contains(p.Extensions, []byte("persistedQuery")):
		return req, malformed("The payload needs a query")
	case !objectOrNone(p.Variables) || !objectOrNone(p.Extensions):
		return req, malformed("Variables and extensions must be objects")
	}
	if p.Query != nil {
		req.Query = *p.Query
	}
	if p.OperationName != nil {
		req.OperationName = *p.OperationName
	}
	req.Variables, req.Extensions = p.Variables, p.Extensions
	return req, nil
}

func isObject(raw []byte) bool { return bytes.HasPrefix(raw, []byte{'{'}) }

func objectOrNone(raw []byte) bool { return len(raw) == 0 || isObject(raw) || string(raw) == "null" }
