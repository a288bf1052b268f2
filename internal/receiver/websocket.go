package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
)

// subprotocol is hark's: messages one way, ack and nack by delivery id the other.
const subprotocol = "hark.v1"

// websocket takes callbacks by WebSocket. The credentials and the signature are
// those of the upgrade.
func (r *Receiver) websocket(w http.ResponseWriter, req *http.Request) {
	from := r.admit(hark.WebSocket, req.Header.Get, nil)
	if from.refusal.status != 0 {
		http.Error(w, r.take(from, nil, "", nil).reason, from.refusal.status)
		return
	}
	r.open.Add(1)
	defer r.open.Done()
	ws, err := websocket.Accept(w, req, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		return // it has answered
	}
	defer func() { _ = ws.CloseNow() }() // for what goes wrong
	if ws.Subprotocol() != subprotocol {
		_ = ws.Close(websocket.StatusPolicyViolation, "the subprotocol is "+subprotocol) // or it has gone
		return
	}
	ws.SetReadLimit(maxBody)
	stop := context.AfterFunc(req.Context(), func() {
		_ = ws.Close(websocket.StatusGoingAway, "hark listen ends") // or it has gone
	})
	defer stop()
	ctx := context.WithoutCancel(req.Context()) // its end would cut the connection off without a word
	for {
		kind, text, err := ws.Read(ctx)
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			_ = ws.Close(websocket.StatusUnsupportedData, "messages are text") // or it has gone
			return
		}
		parse := ofJSON
		if bytes.HasPrefix(text, []byte("<")) {
			parse = ofXML
		}
		message, delivery, err := parse(text)
		if ws.Write(ctx, websocket.MessageText, reply(delivery, r.take(from, message, delivery, err))) != nil {
			return
		}
	}
}

// reply is what goes back for a message.
func reply(delivery string, a answer) []byte {
	text := map[string]string{"ack": delivery}
	if !a.acknowledges() {
		text = map[string]string{"nack": delivery, "reason": a.reason}
	}
	b, _ := json.Marshal(text) // strings alone
	return b
}
