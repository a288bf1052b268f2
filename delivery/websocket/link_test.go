package websocket

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark/delivery"
)

// TestClose shows that a close is a failure with its code of all that waits,
// and that the next attempt has a new connection.
func TestClose(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	s := subscription(serve(t, nil, func(p *peer) {
		if connections.Add(1) > 1 {
			p.ackAll()
			return
		}
		p.ack(p.next())
		p.next()
		p.next()
		_ = p.ws.Close(4321, "tired of token-of-another")
	}))
	dr := newDriver(t, &http.Transport{}, nil, nil)
	if _, err := deliver(t, dr, s); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			r, err := deliver(t, dr, s)
			if err == nil || err.Error() != "closed with 4321: tired of token-of-another" || r.StatusCode != 4321 ||
				r.ResponseBody != "tired of token-of-another" || delivery.IsPermanent(err) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	all.Wait()
	began := time.Now()
	if _, err := deliver(t, dr, s); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took >= firstWait {
		t.Errorf("a connection that did its work was made again only after %v", took)
	}
}

func timedOut(err error, during string) bool {
	return err != nil && strings.HasPrefix(err.Error(), "timed out after ") && strings.HasSuffix(err.Error(), " ms "+during)
}

// TestBackOff shows that a subscriber that is away is not dialled by each
// attempt, that attempts wait for the next dial and share it, and that it is
// found as soon as it is back.
func TestBackOff(t *testing.T) {
	t.Parallel()
	var upgrades atomic.Int32
	s := subscription(serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if upgrades.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}, (*peer).ackAll))
	dr := newDriver(t, &http.Transport{}, nil, nil)
	if _, err := deliver(t, dr, s); err == nil {
		t.Error("acknowledged by nobody")
	}
	if _, err := attempt(t, dr, s, 50*time.Millisecond); !timedOut(err, "waiting to connect again after: answered 503") {
		t.Errorf("error %v", err)
	}
	var failed, succeeded atomic.Int32
	for range 2 {
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := deliver(t, dr, s); err != nil {
					failed.Add(1)
				} else {
					succeeded.Add(1)
				}
			})
		}
		all.Wait()
	}
	if upgrades.Load() != 3 || failed.Load() != 10 || succeeded.Load() != 10 {
		t.Errorf("%d upgrades, %d attempts failed, %d succeeded", upgrades.Load(), failed.Load(), succeeded.Load())
	}
}

// TestChange shows that a changed subscription gets a new connection, and that
// the old one hangs up once what it carries is answered.
func TestChange(t *testing.T) {
	t.Parallel()
	got, answer := make(chan string), make(chan struct{})
	ended := make(chan error, 1)
	s := subscription(serve(t, nil, func(p *peer) {
		if p.header.Get("Authorization") != "Bearer token-of-the-test" {
			p.ackAll()
			return
		}
		id := p.next()
		got <- id
		<-answer
		p.ack(id)
		ended <- p.wait()
	}))
	dr := newDriver(t, &http.Transport{}, nil, nil)
	first := make(chan error, 1)
	go func() {
		_, err := deliver(t, dr, s)
		first <- err
	}()
	<-got
	changed := *s
	changed.Version++
	changed.Credentials.Token = "another"
	if _, err := deliver(t, dr, &changed); err != nil {
		t.Error(err)
	}
	if _, err := deliver(t, dr, s); err != nil { // claimed before the change
		t.Error(err)
	}
	close(answer)
	if err := <-first; err != nil {
		t.Error(err)
	}
	e, ok := errors.AsType[websocket.CloseError](<-ended)
	if !ok || e.Code != websocket.StatusNormalClosure || e.Reason != "the subscription was changed" {
		t.Errorf("the old connection ended with %v", e)
	}
}

// TestCloseWhileConnecting shows that Close does not wait for a subscriber.
func TestCloseWhileConnecting(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	s := subscription(serve(t, func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-release
	}, func(*peer) {}))
	defer close(release)
	dr := newDriver(t, &http.Transport{}, nil, nil)
	failed := make(chan error, 1)
	go func() {
		_, err := deliver(t, dr, s)
		failed <- err
	}()
	<-asked
	dr.Close()
	if err := <-failed; err == nil || err.Error() != "hark is shutting down" {
		t.Errorf("error %v", err)
	}
}

// TestCloseWhileWaiting shows that what waits at a Close fails in words, and at once.
func TestCloseWhileWaiting(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	s := subscription(serve(t, nil, func(p *peer) {
		got <- p.next()
		_ = p.wait()
	}))
	dr := newDriver(t, &http.Transport{}, nil, nil)
	failed := make(chan error, 1)
	go func() {
		_, err := deliver(t, dr, s)
		failed <- err
	}()
	<-got
	dr.Close()
	if err := <-failed; err == nil || err.Error() != "hark is shutting down" {
		t.Errorf("error %v", err)
	}
}
