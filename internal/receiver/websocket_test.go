package receiver_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	"github.com/hark-events/hark/internal/receiver"
)

// TestMessagesAreVerified upgrades as hark does, and then says what hark has not.
func TestMessagesAreVerified(t *testing.T) {
	t.Parallel()
	addr, saw := listen(t, receiver.Config{Verifier: verifier(t, signed)})
	s := deliverytest.Subscription(hark.WebSocket, "ws://"+addr)
	id, now := hark.NewID().String(), time.Now().Unix()
	signature, err := delivery.Signer{}.Sign(s, id, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, s.Endpoint, &websocket.DialOptions{
		Subprotocols: []string{"hark.v1"},
		HTTPHeader:   http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {strconv.FormatInt(now, 10)}, "Webhook-Signature": {signature}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	d := newDelivery()
	message := string(delivery.AppendJSON(nil, d))
	if signature, err = (delivery.Signer{}).Sign(s, d.ID.String(), now, []byte(message)); err != nil {
		t.Fatal(err)
	}
	put := func(message, signature string) string {
		return `{"webhooktimestamp":"` + strconv.FormatInt(now, 10) + `","webhooksignature":"` + signature + `",` + message[1:]
	}
	for _, tt := range []struct{ name, text, answer string }{
		{"not signed", message, "nack"},
		{"changed", put(strings.Replace(message, `"attempt":3`, `"attempt":4`, 1), signature), "nack"},
		{"as it is", put(message, signature), "ack"},
	} {
		if err := ws.Write(ctx, websocket.MessageText, []byte(tt.text)); err != nil {
			t.Fatal(err)
		}
		_, answer, err := ws.Read(ctx)
		if err != nil || !strings.HasPrefix(string(answer), `{"`+tt.answer+`":"`+d.ID.String()) {
			t.Errorf("%s: %s, %v", tt.name, answer, err)
		}
		if cb := <-saw; (cb.Signature == "verified") != (tt.answer == "ack") {
			t.Errorf("%s: %+v", tt.name, cb)
		}
	}
}
