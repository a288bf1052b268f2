package websocket

import (
	"bytes"
	"context"
	"crypto/sha1" // RFC 6455 says so
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
)

const fuzzID = "01890a5d-ac96-774b-bcce-b302099a8057"

// FuzzAnswer feeds what a subscriber may say.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"ack":"` + fuzzID + `"}`, `{"nack":"` + fuzzID + `","reason":"try later"}`, ` {"reason":null,"nack":"` + fuzzID + `"}`,
		`{"ack":"` + fuzzID + `","ack":"` + fuzzID + `"}`, `{"ack":null}`, `{}`, `[`, `{"ack":"` + fuzzID + `"}"}`, "{\"nack\":\"" + fuzzID + "\",\"reason\":\"\x00\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, ok := parse(bytes.Clone(text))
		if !ok {
			return
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatalf("%q was taken: %v", text, err)
		}
		name := "ack"
		if a.nack {
			name = "nack"
		}
		if got, _ := fields[name].(string); !strings.EqualFold(got, a.id.String()) || len(fields) < 1 {
			t.Errorf("%q is an %s of %s", text, name, a.id)
		}
		check(t, a.outcome(func(s string) string { return s }))
	})
}

func check(t *testing.T, o outcome) {
	t.Helper()
	if len(o.receipt.ResponseBody) > delivery.MaxResponseBody || !utf8.ValidString(o.receipt.ResponseBody) {
		t.Errorf("body %q", o.receipt.ResponseBody)
	}
	if o.err != nil && (o.err.Error() == "" || len(o.err.Error()) > 1<<10 || !utf8.ValidString(o.err.Error())) {
		t.Errorf("error %q", o.err)
	}
}

// FuzzConnection feeds what may come on a connection: frames or not.
func FuzzConnection(f *testing.F) {
	ack := `{"ack":"` + fuzzID + `"}`
	for _, seed := range []string{
		"\x81" + string(rune(len(ack))) + ack, "\x01\x05{\"ack\x80\x03\":\"", "\x88\x06\x0f\xa0late", "\x88\x02\x03\xe8", "\x89\x00\x8a\x00",
		"\x81\x7f\x00\x00\x00\x00\x40\x00\x00\x00{", "\x81\x7e\xff\xff", "\xff\xff", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x81\x85masked",
	} {
		f.Add([]byte(seed))
	}
	var id hark.ID
	if err := id.UnmarshalText([]byte(fuzzID)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		client := &http.Client{Transport: canned(data)}
		dr := New(delivery.NewCaller(client, delivery.NewAuthorizer(client), delivery.Signer{}, "hark/fuzz"), nil, slog.New(slog.DiscardHandler))
		defer dr.Close()
		s := subscription("ws://events.test/")
		d := deliverytest.Delivery(s, deliverytest.Event())
		d.ID = id
		r, err := dr.Deliver(context.Background(), s, d) // it ends with the data
		check(t, outcome{receipt: r, err: err})
		if err == nil && r.StatusCode != 101 {
			t.Errorf("acknowledged with %d", r.StatusCode)
		}
	})
}

// canned upgrades and then says always the same.
type canned []byte

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // see above
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols, Request: req,
		Header: http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {subprotocol},
			"Sec-Websocket-Accept": {base64.StdEncoding.EncodeToString(sum[:])},
		},
		Body: newSpeaker(c),
	}, nil
}

// A speaker says what it has to once it was spoken to, and hangs up.
type speaker struct {
	io.Reader
	spokenTo chan struct{}
}

func newSpeaker(says []byte) *speaker {
	return &speaker{bytes.NewReader(says), make(chan struct{}, 1)}
}

func (s *speaker) Read(b []byte) (int, error) {
	<-s.spokenTo
	s.signal()
	return s.Reader.Read(b)
}

func (s *speaker) Write(b []byte) (int, error) {
	s.signal()
	return len(b), nil
}

func (s *speaker) Close() error {
	s.signal()
	return nil
}

func (s *speaker) signal() {
	select {
	case s.spokenTo <- struct{}{}:
	default:
	}
}
