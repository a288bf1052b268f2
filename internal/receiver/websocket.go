package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
)

// subprotocol is hark's: messages one way, ack and nack by delivery id the other.
const subprotocol = "hark.v1"

// signed is how a message of hark begins: its timestamp and signature, as JSON or
// XML, are put into the text that they cover.
var signed = regexp.MustCompile(`^(\{|<\?xml[^>]*\?>)(?:"webhooktimestamp":"([^"]*)","webhooksignature":"([^"]*)",|<\?webhook timestamp="([^"]*)" signature="([^"]*)"\?>)`)

// websocket takes callbacks by WebSocket. The credentials are those of the
// upgrade, which is signed, as is each message.
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
		var header http.Header
		header, text = unsigned(text)
		message, delivery, err := parse(text)
		header.Set("webhook-id", delivery)
		if ws.Write(ctx, websocket.MessageText, reply(delivery, r.take(r.admitMessage(from, header, text), message, delivery, err))) != nil {
			return
		}
	}
}

// unsigned takes timestamp and signature out of a message.
func unsigned(text []byte) (header http.Header, rest []byte) {
	header = http.Header{}
	m := signed.FindSubmatch(text)
	if m == nil {
		return header, text
	}
	header.Set("webhook-timestamp", string(m[2])+string(m[4])) // of one form
	header.Set("webhook-signature", string(m[3])+string(m[5]))
	return header, slices.Concat(m[1], text[len(m[0]):])
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
