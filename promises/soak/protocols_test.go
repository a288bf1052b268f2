package soak

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// In JSON and in XML alike.
var (
	sequenceOf = regexp.MustCompile(`sequence"?[:>](\d+)`)
	deliveryOf = regexp.MustCompile(`deliveryId(?:":"|>)([0-9a-f-]{36})`)
)

func (s *subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Upgrade") != "":
		s.talk(w, r)
		return
	case r.ProtoMajor == 2:
		s.rpc.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // hark was killed while it wrote
	}
	switch soap := strings.Contains(string(body), "Envelope>"); {
	case s.acknowledge(r.Context(), number(body)):
	case soap: // a failure, whatever the status
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>`+
			`<faultcode>e:Server</faultcode><faultstring>in a bad mood</faultstring></e:Fault></e:Body></e:Envelope>`)
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// Deliver implements harkv1.EventReceiverServer.
func (s *subscriber) Deliver(ctx context.Context, e *harkv1.Event) (*harkv1.Ack, error) {
	if s.acknowledge(ctx, e.GetSequence()) {
		return &harkv1.Ack{}, nil
	}
	return nil, status.Error(codes.Internal, "in a bad mood")
}

// talk answers messages, each as soon as it can.
func (s *subscriber) talk(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"hark.v1"}})
	if err != nil {
		return // it has answered
	}
	ctx, cancel := context.WithCancel(r.Context())
	var answering sync.WaitGroup
	defer answering.Wait()
	defer cancel()
	defer func() { _ = ws.CloseNow() }() // hark has gone
	for {
		_, text, err := ws.Read(ctx)
		if err != nil {
			return
		}
		answering.Go(func() {
			answer := "nack"
			if s.acknowledge(ctx, number(text)) {
				answer = "ack"
			}
			b, _ := json.Marshal(map[string]string{answer: string(deliveryOf.FindSubmatch(text)[1])}) // texts
			_ = ws.Write(ctx, websocket.MessageText, b)                                               // or hark has gone
		})
	}
}

// number is the sequence of the event in a message.
func number(message []byte) int64 {
	m := sequenceOf.FindSubmatch(message)
	if m == nil {
		return 0 // which no event has: it will be missed
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits
	return n
}
