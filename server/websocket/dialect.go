package websocket

import "encoding/json"

// A dialect is the words of a subprotocol.
type dialect struct {
	subscribe, stop string // from the client
	next            string // from the server
	legacy          bool
}

// The names of the subprotocols.
const (
	transportWS = "graphql-transport-ws"
	legacyWS    = "graphql-ws"
)

// dialectOf gives the words of a subprotocol that hark speaks.
func dialectOf(name string) (d dialect, ok bool) {
	switch name {
	case transportWS:
		return dialect{subscribe: "subscribe", stop: "complete", next: "next"}, true
	case legacyWS:
		return dialect{subscribe: "start", stop: "stop", next: "data", legacy: true}, true
	}
	return d, false
}

// A message is one frame of either side.
type message struct {
	ID      *string         `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// malformed closes the connection of a client that does not speak the protocol.
func malformed(reason string) error { return &closing{code: 4400, reason: reason} }

// parse reads a message; its error closes the connection.
func parse(data []byte) (m message, err error) {
	if json.Unmarshal(data, &m) != nil || m.Type == "" {
		return m, malformed("Invalid message received")
	}
	return m, nil
}

// appendMessage writes a message by hand: encoding/json would rewrite the payload.
func appendMessage(id, kind string, payload []byte) []byte {
	b := make([]byte, 0, len(payload)+len(id)+48)
	b = append(b, '{')
	if id != "" {
		quoted, _ := json.Marshal(id) // a string always can be
		b = append(append(append(b, `"id":`...), quoted...), ',')
	}
	b = append(append(append(b, `"type":"`...), kind...), '"')
	if payload != nil {
		b = append(append(b, `,"payload":`...), payload...)
	}
	return append(b, '}')
}

// errorPayload is the payload of an `error`: a list of errors, of old a single one.
func (d dialect) errorPayload(errors []byte) []byte {
	var list []json.RawMessage
	if d.legacy && json.Unmarshal(errors, &list) == nil && len(list) > 0 {
		return list[0]
	}
	return errors
}
