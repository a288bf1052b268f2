package websocket

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
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
