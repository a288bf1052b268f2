package websocket

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// TestNoAnswers shows that what is no answer changes nothing.
func TestNoAnswers(t *testing.T) {
	t.Parallel()
	s := subscription(serve(t, nil, func(p *peer) {
		id := p.next()
		for _, text := range []string{
			"", "hello", `{}`, `[]`, `{"ack":null}`, `{"ack":1}`, `{"ack":"` + hark.NewID().String() + `"}`, `{"ACK":"` + id + `"}`,
			`{"ack":"` + id + `","nack":"` + id + `"}`, `{"ack":"` + id + `"`, `"` + id + `"`,
		} {
			p.say(text)
		}
		_ = p.ws.Write(context.Background(), websocket.MessageBinary, []byte(`{"nack":"`+id+`"}`))
		p.say(` { "x" : 1, "nack" : "` + strings.ToUpper(id) + `", "reason" : 7 } `)
		_ = p.wait()
	}))
	_, err := deliver(t, newDriver(t, &http.Transport{}, nil, nil), s)
	if err == nil || err.Error() != "nack" {
		t.Errorf("error %v", err)
	}
}

// TestLongAnswer shows that a message beyond all measure is not read, and ends
// the connection.
func TestLongAnswer(t *testing.T) {
	t.Parallel()
	s := subscription(serve(t, nil, func(p *peer) {
		p.say(`{"nack":"` + p.next() + `","reason":"` + strings.Repeat("x", maxAnswer) + `"}`)
		_ = p.wait()
	}))
	r, err := deliver(t, newDriver(t, &http.Transport{}, nil, nil), s)
	if err == nil || err.Error() != "the subscriber sent a message of more than 8192 bytes" || r.StatusCode != delivery.NoAnswer {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestLateAnswer shows that an answer that comes after the time-out is no
// answer to anything, and that the connection goes on.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	late := make(chan struct{})
	var connections atomic.Int32
	s := subscription(serve(t, nil, func(p *peer) {
		connections.Add(1)
		id := p.next()
		<-late
		p.ack(id)
		p.ackAll()
	}))
	dr := newDriver(t, &http.Transport{}, nil, nil)
	r, err := attempt(t, dr, s, 100*time.Millisecond)
	if !timedOut(err, "waiting for an ack") || r.StatusCode != delivery.NoAnswer {
		t.Errorf("%+v, %v", r, err)
	}
	close(late)
	if _, err := deliver(t, dr, s); err != nil || connections.Load() != 1 {
		t.Errorf("%v on %d connections", err, connections.Load())
	}
}
