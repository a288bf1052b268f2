package websocket

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
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
			return &closing{websocket.StatusNormalClosure, "Terminated"}
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
		return &closing{4429, "Too many initialisation requests"}
	}
	viewer, err := c.viewer(ctx, payload)
	if why, ok := err.(*closing); ok {
		return why
	}
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
	session := authority.NewSession(c.access, viewer)
	c.mu.Lock()
	c.session = session
	c.mu.Unlock()
	session.Keep(ctx, func(err error) {
		wire.LogInternal(ctx, c.log, wire.Classify(err))
		c.end(closingOf(err))
	})
	wire.Note(ctx, slog.String("identity", viewer.IdentityID.String()))
	if err := c.reply(appendMessage("", "connection_ack", nil)); err != nil || !c.legacy {
		return err
	}
	return c.reply(appendMessage("", "ka", nil))
}

func (c *conn) viewer(ctx context.Context, payload json.RawMessage) (*hark.Viewer, error) {
	var given map[string]json.RawMessage
	if len(payload) > 0 && json.Unmarshal(payload, &given) != nil {
		return nil, malformed("The payload of connection_init must be an object")
	}
	for name, raw := range given {
		var value string
		if strings.EqualFold(name, "authorization") && json.Unmarshal(raw, &value) == nil && value != "" {
			return authority.Viewer(ctx, c.access, value)
		}
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
