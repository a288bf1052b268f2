package websocket

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
)

// orders are set by hand.
type orders struct {
	mu       sync.Mutex
	version  int64
	standing map[hark.ID]int64
	asked    chan int // how many subscriptions were asked for
}

func (o *orders) Versions(_ context.Context, projects []hark.ID) (map[hark.ID]int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := make(map[hark.ID]int64)
	for _, id := range projects {
		found[id] = o.version
	}
	return found, nil
}

func (o *orders) Standing(_ context.Context, ids []hark.ID) (map[hark.ID]int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked <- len(ids)
	found := make(map[hark.ID]int64)
	for _, id := range ids {
		if v, ok := o.standing[id]; ok {
			found[id] = v
		}
	}
	return found, nil
}

// TestHangUp shows that a subscription that is paused, disabled or deleted, on
// whichever node, hangs up, and that others do not.
func TestHangUp(t *testing.T) {
	t.Parallel()
	ended := make(chan string, 2)
	endpoint := serve(t, nil, func(p *peer) {
		p.ack(p.next())
		err := p.wait()
		ended <- fmt.Sprint(p.header.Get("Authorization"), " ", websocket.CloseStatus(err))
	})
	stays, goes := subscription(endpoint), subscription(endpoint)
	goes.ProjectID, goes.Credentials.Token = stays.ProjectID, "goes"
	o := &orders{version: 1, standing: map[hark.ID]int64{stays.ID: 1, goes.ID: 1}, asked: make(chan int, 8)}
	dr := newDriver(t, &http.Transport{}, nil, o)
	for _, s := range []*hark.Subscription{stays, goes} {
		if _, err := deliver(t, dr, s); err != nil {
			t.Fatal(err)
		}
	}
	look := func() {
		t.Helper()
		if err := dr.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look()
	look() // nothing changed: nobody is asked for
	if n := len(o.asked); n != 1 {
		t.Errorf("asked %d times", n)
	}
	o.mu.Lock()
	o.version = 2
	delete(o.standing, goes.ID)
	o.mu.Unlock()
	look()
	if got := <-ended; got != "Bearer goes StatusNormalClosure" {
		t.Errorf("ended: %s", got)
	}
	if len(dr.open()) != 1 || len(ended) != 0 {
		t.Error("the other one hung up as well")
	}
	dr.Close()
	if got := <-ended; got != "Bearer token-of-the-test StatusGoingAway" {
		t.Errorf("ended: %s", got)
	}
	if _, err := deliver(t, dr, stays); err == nil || err.Error() != "hark is shutting down" {
		t.Errorf("after Close: %v", err)
	}
}
