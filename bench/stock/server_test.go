package stock

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// The comparison holds only if both answer the same.
func TestServe(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = Serve(ln) }() // until the listener is closed
	defer ln.Close()
	url := "http://" + ln.Addr().String() + "/graphql"
	c, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for _, m := range []string{
		`{"type":"connection_init"}`,
		`{"id":"1","type":"subscribe","payload":{"query":"subscription{projectEvents(filter:{}){sequence eventType environment payload}}"}}`,
	} {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	for heard := ""; !strings.Contains(heard, `"data":{"projectEvents":{"sequence":`); {
		resp, err := http.Post(url, "application/json", strings.NewReader(
			`{"query":"mutation{publishEvents(input:{sourceService:\"a\",resourceType:\"b\",operationType:\"c\",environment:\"e\",payload:1}){duplicates}}"}`))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || string(answer) != `{"data":{"publishEvents":{"duplicates":0}}}` {
			t.Fatal(string(answer), err)
		}
		_, b, err := c.Read(t.Context()) // the ack, and what was published when it was subscribed
		if err != nil {
			t.Fatal(err)
		}
		heard = string(b)
	}
}
