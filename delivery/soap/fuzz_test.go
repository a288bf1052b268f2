package soap

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hark-events/hark"
)

// FuzzFault shows that no answer makes the driver panic or run away, and that
// the words of a Fault are text of one line.
func FuzzFault(f *testing.F) {
	const head = `<e:Envelope xmlns:e="` + Namespace11 + `"><e:Body>`
	for _, seed := range []string{
		"", "OK", head, head + "</e:Body>", "\xFE\xFF\x00<", "\xFF\xFE<",
		head + `<e:Fault><faultcode>e:Server</faultcode><faultstring>later</faultstring></e:Fault></e:Body></e:Envelope>`,
		`<Envelope xmlns="` + Namespace12 + `"><Body><Fault><Code><Value>x:Sender</Value></Code><Reason><Text>no</Text></Reason></Fault>`,
		`<!DOCTYPE x [<!ENTITY a "b">]>` + head + `<e:Fault><faultstring>&a;&#xD;&lt;</faultstring>`,
		"<Envelope><Body></Envelope></Body><Fault>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		found, _ := findFault(toUTF8(answer))
		if found == nil {
			return
		}
		words := found.String()
		if !strings.HasPrefix(words, "Fault") || strings.ContainsAny(words, "\n\r\t") || !utf8.ValidString(words) {
			t.Errorf("%q", words)
		}
	})
}

// FuzzEnvelope shows that every message is XML from which a strict parser reads
// what was put in, but for what XML cannot hold.
func FuzzEnvelope(f *testing.F) {
	f.Add("user", "password", "/app", "staging", "actor", []byte(`{"a":"<&>]]>"}`))
	f.Add("\x00", "]]>\r\n", "\uFFFE\uFFFF", "\xFF\xC0", "<a/>", []byte("\"\\u0000\x7f\u2028\uFFFE\""))
	f.Add("", "", "", "", "", []byte(" [1,\r\n\t2e99] "))
	f.Fuzz(func(t *testing.T, user, password, path, environment, actor string, payload []byte) {
		if !json.Valid(payload) {
			return
		}
		e := &hark.Event{
			Kind:        hark.Kind{SourceService: "s", ResourceType: "r", OperationType: "o"},
			Environment: environment, Path: path, Actor: actor, Payload: payload,
		}
		s := &hark.Subscription{Credentials: hark.Credentials{Type: hark.Basic, Username: user, Password: hark.Secret(password)}}
		b := appendEnvelope(nil, versionOf(s), s, &hark.Delivery{Event: e})
		var got struct {
			Header struct {
				Token struct{ Username, Password string } `xml:"Security>UsernameToken"`
			}
			Body struct {
				Event struct {
					Environment string `xml:"environment"`
					Path        string `xml:"path"`
					Actor       string `xml:"actor"`
					Payload     string `xml:"payload"`
				} `xml:"event"`
			}
		}
		if err := xml.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v in\n%s", err, b)
		}
		for _, text := range [][2]string{
			{user, got.Header.Token.Username},
			{password, got.Header.Token.Password},
			{environment, got.Body.Event.Environment},
			{path, got.Body.Event.Path},
			{actor, got.Body.Event.Actor},
		} {
			if want := possible(text[0]); text[1] != want {
				t.Errorf("%q became %q; want %q", text[0], text[1], want)
			}
		}
		var sent, came any
		if err := json.Unmarshal(payload, &sent); err != nil {
			return // a number beyond float64
		}
		if err := json.Unmarshal([]byte(got.Body.Event.Payload), &came); err != nil || !equal(sent, came) {
			t.Errorf("%q became %q: %v", payload, got.Body.Event.Payload, err)
		}
	})
}

// possible is s with U+FFFD for each byte and character that XML 1.0 cannot hold.
func possible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 {
			return r
		}
		return utf8.RuneError
	}, s)
}

func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
