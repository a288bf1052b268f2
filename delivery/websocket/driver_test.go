package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	"github.com/hark-events/hark/internal/egress"
)

// TestPipelined shows that messages go out on one connection without waiting
// for answers, and that answers may come in any order.
func TestPipelined(t *testing.T) {
	t.Parallel()
	const n = 100
	var connections atomic.Int32
	s := subscription(serve(t, nil, func(p *peer) {
		connections.Add(1)
		var ids []string
		for len(ids) < n {
			id := p.next()
			if id == "" {
				return
			}
			ids = append(ids, id)
		}
		for i := range ids {
			if i%2 == 0 {
				p.say(`{"nack":"` + ids[n-1-i] + `","reason":"` + ids[n-1-i] + `"}`)
			} else {
				p.ack(ids[n-1-i])
			}
		}
		_ = p.wait()
	}))
	dr := newDriver(t, &http.Transport{}, nil, nil)
	var acks, nacks atomic.Int32
	var all sync.WaitGroup
	for range n {
		d := deliverytest.Delivery(s, deliverytest.Event())
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			r, err := dr.Deliver(ctx, s, d)
			switch {
			case r.StatusCode != 101:
				t.Errorf("%+v, %v", r, err)
			case err == nil:
				acks.Add(1)
			case err.Error() == "nack: "+d.ID.String() && r.ResponseBody == d.ID.String() && !delivery.IsPermanent(err):
				nacks.Add(1)
			default:
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	all.Wait()
	if acks.Load() != n/2 || nacks.Load() != n/2 || connections.Load() != 1 {
		t.Errorf("%d acks, %d nacks, %d connections", acks.Load(), nacks.Load(), connections.Load())
	}
}

// TestStream shows that no message is lost or torn while many come and go.
func TestStream(t *testing.T) {
	t.Parallel()
	s := subscription(serve(t, nil, (*peer).ackAll))
	dr := newDriver(t, &http.Transport{}, nil, nil)
	var all sync.WaitGroup
	for i := range 64 {
		e := deliverytest.Event()
		e.Payload = hark.JSON(`"` + strings.Repeat("x", 100*i) + `"`)
		all.Go(func() {
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				r, err := dr.Deliver(ctx, s, deliverytest.Delivery(s, e))
				cancel()
				if err != nil {
					t.Errorf("%+v, %v", r, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestUpgradeAndMessage(t *testing.T) {
	t.Parallel()
	type seen struct {
		header http.Header
		text   string
	}
	calls := make(chan seen, 1)
	s := subscription(serve(t, nil, func(p *peer) {
		_, text, err := p.ws.Read(context.Background())
		if err != nil {
			t.Error(err)
		}
		calls <- seen{p.header, string(text)}
		_ = p.wait()
	}))
	e := deliverytest.Event()
	e.Payload = hark.JSON(`"` + strings.Repeat("ä", 40<<10) + `"`) // a long frame
	d := deliverytest.Delivery(s, e)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	dr := newDriver(t, &http.Transport{}, nil, nil)
	go func() {
		_, err := dr.Deliver(ctx, s, d)
		done <- err
	}()
	c := <-calls
	cancel()
	if err := <-done; err == nil || err.Error() != "cancelled waiting for an ack" {
		t.Errorf("error %v", err)
	}
	if c.text != string(delivery.AppendJSON(nil, d)) {
		t.Errorf("message %.300s", c.text)
	}
	for name, want := range map[string]string{
		"Sec-Websocket-Protocol": "hark.v1", "User-Agent": "hark/test", "Authorization": "Bearer token-of-the-test",
		"Sec-Websocket-Extensions": "",
	} {
		if got := c.header.Get(name); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	verifier, err := standardwebhooks.NewWebhook("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(nil, c.header); err != nil {
		t.Error(err)
	}
}

func TestPayloadTypes(t *testing.T) {
	t.Parallel()
	e := deliverytest.Event()
	for kind, begins := range map[hark.PayloadType]string{
		"": `{"id":"` + e.ID.String(), hark.PayloadJSON: `{"id":"` + e.ID.String(),
		hark.PayloadCloudEvents: `{"specversion":"1.0"`, hark.PayloadXML: `<?xml version="1.0" encoding="UTF-8"?><event xmlns="urn:hark:v1">`,
	} {
		s := subscription("ws://127.0.0.1:9/events")
		s.PayloadType = kind
		d := deliverytest.Delivery(s, e)
		text, err := encode(s, d)
		if err != nil || !strings.HasPrefix(string(text), begins) || !strings.Contains(string(text), d.ID.String()) {
			t.Errorf("%s: %.200s %v", kind, text, err)
		}
	}
}

// TestRefusedUpgrade shows that it is an attempt with its HTTP status.
func TestRefusedUpgrade(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		status int
		says   string
		final  bool
		after  time.Duration
	}{
		"503": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "full", http.StatusServiceUnavailable)
		}, 503, "answered 503", false, 7 * time.Second},
		"404": {http.NotFound, 404, "answered 404", false, 0},
		"410": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, 410, "answered 410", true, 0},
		"200": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, 200, "answered 200 and did not upgrade to WebSocket", false, 0},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.test/x?y", http.StatusFound)
		}, 302, "answered 302: redirect to https://elsewhere.test not followed", false, 0},
		"no hark.v1": {func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			w.(*hijacked).answered = true
			_, _, _ = ws.Read(context.Background()) // until hark hangs up
			_ = ws.CloseNow()
		}, 101, "the endpoint did not agree to the subprotocol hark.v1", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := subscription(serve(t, tt.answer, func(*peer) { t.Error("upgraded") }))
			r, err := deliver(t, newDriver(t, &http.Transport{}, nil, nil), s)
			if err == nil || err.Error() != tt.says || r.StatusCode != tt.status || delivery.IsGone(err) != tt.final || r.RetryAfter != tt.after {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

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

// TestGuard shows that the address is checked that is dialled, whatever its name.
func TestGuard(t *testing.T) {
	t.Parallel()
	policy, err := egress.NewPolicy(nil)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the subscriber was reached") }, func(*peer) {})
	s := subscription(strings.Replace(endpoint, "127.0.0.1", "localhost", 1))
	_, err = deliver(t, newDriver(t, policy.Client(nil).Transport.(*http.Transport), nil, nil), s)
	if err == nil || !strings.Contains(err.Error(), "of host localhost is loopback: allow it with HARK_DELIVERY_ALLOW") {
		t.Errorf("error %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dr := newDriver(t, &http.Transport{}, nil, nil)
	for name, tt := range map[string]struct {
		endpoint string
		payload  hark.PayloadType
		field    string
	}{
		"plain":          {"ws://events.test/x?y=z", "", ""},
		"TLS":            {"wss://events.test:8443", hark.PayloadCloudEvents, ""},
		"another scheme": {"https://events.test", "", "deliveryEndpoint"},
		"no host":        {"ws:///x", "", "deliveryEndpoint"},
		"a user":         {"ws://a:b@events.test", "", "deliveryEndpoint"},
		"a fragment":     {"ws://events.test/#x", "", "deliveryEndpoint"},
		"too long":       {"ws://events.test/" + strings.Repeat("x", 2048), "", "deliveryEndpoint"},
		"protobuf":       {"ws://events.test", hark.PayloadProtobuf, "payloadType"},
	} {
		s := subscription(tt.endpoint)
		s.PayloadType = tt.payload
		err := dr.Check(s)
		e, _ := errors.AsType[*hark.Error](err)
		if tt.field == "" && err != nil || tt.field != "" && (e == nil || e.Code != hark.BadUserInput || e.Field != tt.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRequest shows what a preview has to show.
func TestRequest(t *testing.T) {
	t.Parallel()
	s := subscription("wss://events.test/x")
	d := deliverytest.Delivery(s, deliverytest.Event())
	req, err := newDriver(t, &http.Transport{}, nil, nil).Request(s, d)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(req.Body)
	if err != nil || string(text) != string(delivery.AppendJSON(nil, d)) {
		t.Errorf("%s, %v", text, err)
	}
	if req.Method != http.MethodGet || req.URL.String() != "wss://events.test/x" || len(map[string][]string(req.Header)["webhook-signature"]) != 1 {
		t.Errorf("%s %s %v", req.Method, req.URL, req.Header)
	}
}
