package soap_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark/delivery"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	v11 := func(body string) string {
		return `<?xml version="1.0"?><e:Envelope xmlns:e="` + envelope11 + `"><e:Header/><e:Body>` + body + `</e:Body></e:Envelope>`
	}
	v12 := func(body string) string {
		return `<Envelope xmlns="` + envelope12 + `"><Body>` + body + `</Body></Envelope>`
	}
	utf16 := func(s string) string {
		b := []byte{0xFF, 0xFE}
		for _, r := range s {
			b = append(b, byte(r), byte(r>>8))
		}
		return string(b)
	}
	deep := strings.Repeat("<a>", 100)
	for name, tt := range map[string]struct {
		status     int
		body       string
		header     [2]string
		words      string // empty: acknowledged
		permanent  bool
		gone       bool
		retryAfter time.Duration
	}{
		"an acknowledgement":       {status: 200, body: v11(`<ack xmlns="urn:hark:v1"/>`)},
		"one of 1.2":               {status: 200, body: v12(`<ack xmlns="urn:hark:v1"/>`)},
		"nothing":                  {status: 204},
		"nothing in the body":      {status: 202, body: v11("")},
		"no SOAP":                  {status: 299, body: "<!DOCTYPE html><html>OK"},
		"no XML":                   {status: 200, body: "OK"},
		"another Fault":            {status: 200, body: v11(`<Fault xmlns="urn:x">a result</Fault>`)},
		"a Fault in the header":    {status: 200, body: strings.Replace(v11(""), "<e:Header/>", "<e:Header><e:Fault/></e:Header>", 1)},
		"a Fault within something": {status: 200, body: v11(`<ack><e:Fault/></ack>`)},
		"too deep":                 {status: 200, body: v11(deep)},

		"Server":               {status: 500, body: v11(`<e:Fault><faultcode>e:Server</faultcode><faultstring>try later</faultstring></e:Fault>`), words: "answered 500: Fault Server: try later"},
		"Client":               {status: 500, body: v11(`<e:Fault><faultcode>e:Client.Auth</faultcode><faultstring>who?</faultstring><detail><x>y</x></detail></e:Fault>`), words: "answered 500: Fault Client.Auth: who?"},
		"Receiver":             {status: 500, body: v12(`<Fault><Code><Value>Receiver</Value><Subcode><Value>x:y</Value></Subcode></Code><Reason><Text xml:lang="en">later</Text><Text xml:lang="de">später</Text></Reason></Fault>`), words: "answered 500: Fault Receiver: later später"},
		"Sender":               {status: 400, body: v12(`<Fault><Code><Value>a:Sender</Value></Code><Reason><Text>no</Text></Reason></Fault>`), words: "answered 400: Fault Sender: no"},
		"Fault under 200":      {status: 200, body: v11(`<e:Fault><faultcode>e:Server</faultcode></e:Fault>`), words: "answered 200: Fault Server"},
		"in XML 1.1":           {status: 200, body: strings.Replace(v11(`<e:Fault/>`), `"1.0"`, `"1.1"`, 1), words: "answered 200: Fault"},
		"behind a result":      {status: 200, body: v11(`<ack/><e:Fault/>`), words: "answered 200: Fault"},
		"both versions in one": {status: 200, body: v11(`<e:Fault><e:Code><e:Value>SOAP-ENV:Server</e:Value></e:Code><e:Reason><e:Text>mixed</e:Text></e:Reason></e:Fault>`), words: "answered 200: Fault Server: mixed"},
		"in Latin-1":           {status: 500, body: strings.Replace(v11("<e:Fault><faultstring>sp\xE4ter</faultstring></e:Fault>"), `"?>`, `" encoding="ISO-8859-1"?>`, 1), words: "answered 500: Fault: später"},
		"in UTF-16":            {status: 200, body: utf16(v12(`<Fault><Reason><Text>später</Text></Reason></Fault>`)), words: "answered 200: Fault: später"},
		"with a line break":    {status: 500, body: v11("<e:Fault><faultstring>a\n\t<![CDATA[<b>]]></faultstring></e:Fault>"), words: "answered 500: Fault: a <b>"},
		"cut short":            {status: 500, body: v11("<e:Fault><faultcode>e:Server</faultcode><faultstring>" + strings.Repeat("ä", 20_000)), words: "answered 500: Fault Server: " + strings.Repeat("ä", 249)},
		"entities": {
			status: 200, body: `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/hostname">]>` + v12(`<Fault><Reason><Text>&b;&f;</Text></Reason></Fault>`),
			words: "answered 200: Fault: &b;&f;",
		},
		"gone":        {status: 410, body: v11(`<e:Fault><faultstring>moved</faultstring></e:Fault>`), words: "answered 410: Fault: moved", permanent: true, gone: true},
		"abort":       {status: 500, header: [2]string{"webhook-delivery", "abort-message"}, words: "answered 500, abort-message", permanent: true},
		"abort, 200":  {status: 200, body: v11(`<e:Fault/>`), header: [2]string{"webhook-delivery", "abort-message"}, words: "answered 200, abort-message: Fault", permanent: true},
		"redirect":    {status: 307, header: [2]string{"Location", "http://other.test/x"}, words: "answered 307: redirect to http://other.test not followed"},
		"wait":        {status: 503, header: [2]string{"Retry-After", "120"}, words: "answered 503", retryAfter: 2 * time.Minute},
		"wait by 200": {status: 200, body: v11(`<e:Fault/>`), header: [2]string{"Retry-After", "120"}, words: "answered 200: Fault", retryAfter: 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r, err := exchange(t, nil, func(w http.ResponseWriter, _ *http.Request) {
				if tt.header[0] != "" {
					w.Header().Set(tt.header[0], tt.header[1])
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			words := ""
			if err != nil {
				words = err.Error()
			}
			if words != tt.words || delivery.IsPermanent(err) != tt.permanent || delivery.IsGone(err) != tt.gone {
				t.Errorf("error %q, permanent %v, gone %v; want %q", words, delivery.IsPermanent(err), delivery.IsGone(err), tt.words)
			}
			if r.StatusCode != tt.status || r.RetryAfter != tt.retryAfter {
				t.Errorf("%+v", r)
			}
			if strings.Contains(tt.words, "später") && !strings.Contains(r.ResponseBody, "später") {
				t.Errorf("kept %q", r.ResponseBody)
			}
		})
	}
}

// TestBrokenOff shows that an answer that breaks off acknowledges only if what
// came of it leaves no room for a Fault.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	const begin, end = `<s:Envelope xmlns:s="` + envelope11 + `"><s:Body><ack xmlns="urn:hark:v1"/>`, `</s:Body>`
	for body, acknowledges := range map[string]bool{begin: false, begin + end: true} {
		_, r, err := exchange(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, body)
		})
		if acknowledges != (err == nil) || r.StatusCode != 200 || delivery.IsPermanent(err) {
			t.Errorf("%s: %v", body, err)
		}
		if err != nil && err.Error() != "answered 200: connection closed reading the answer" {
			t.Error(err)
		}
	}
}
