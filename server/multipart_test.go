package server_test

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark"
)

// A multipartReader reads parts as Apollo's client does: each ends with the boundary.
type multipartReader struct {
	t        *testing.T
	body     io.Reader
	boundary string
	text     string
}

const acceptMultipart = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"

func (f *fixture) multipart(t *testing.T, body string, header ...string) *multipartReader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.URL+"/graphql", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {acceptMultipart}, "Authorization": {"Bearer " + alice}}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := f.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		resp.Body.Close()
	})
	media, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != "multipart/mixed" || params["subscriptionspec"] != "1.0" || resp.StatusCode != 200 {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	m := &multipartReader{t: t, body: resp.Body, boundary: "\r\n--" + params["boundary"]}
	if got := m.until(); got != "" {
		t.Fatalf("before the first part: %q", got)
	}
	return m
}

// until reads to the next boundary, or to the end.
func (m *multipartReader) until() string {
	m.t.Helper()
	b := make([]byte, 4096)
	for {
		if before, rest, ok := strings.Cut(m.text, m.boundary); ok {
			m.text = rest
			return before
		}
		n, err := m.body.Read(b)
		m.text += string(b[:n])
		if err != nil && n == 0 {
			return m.text
		}
	}
}

// part gives the body of the next part; what stands behind the last boundary at the end.
func (m *multipartReader) part() string {
	m.t.Helper()
	part := m.until()
	head, body, ok := strings.Cut(part, "\r\n\r\n")
	if !ok {
		return part
	}
	if head != "\r\nContent-Type: application/json" {
		m.t.Errorf("the head is %q", head)
	}
	return body
}

func (m *multipartReader) want(parts ...string) {
	m.t.Helper()
	for _, want := range parts {
		if got := m.part(); got != want {
			m.t.Fatalf("\n got %q\nwant %q", got, want)
		}
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	f := start(t)
	m := f.multipart(t, subscribe)
	m.want(`{}`) // at once
	f.log.readers(t, 1)
	one := f.log.append(`{"a":"<"}`)
	two := f.log.append("[1,\n2]")
	m.want(`{"payload":`+result(one)+`}`, `{"payload":`+result(two)+`}`)
	again := f.multipart(t, subscribe, "Last-Event-ID", one.Cursor().String())
	again.want(`{}`, `{"payload":`+result(two)+`}`)
	again.text += "" // it goes on
	f.access.change(func(v map[string]*hark.Viewer) { delete(v, alice) })
	if got := m.part(); !strings.Contains(got, `{"payload":{"errors":[`) || !strings.Contains(got, "UNAUTHENTICATED") {
		t.Error(got)
	}
	m.want("--\r\n")
	f.log.readers(t, 0)
}

func TestMultipartRefusals(t *testing.T) {
	t.Parallel()
	f := start(t)
	m := f.multipart(t, subscribe, "Last-Event-ID", "expired")
	m.want(`{}`)
	if got := m.part(); !strings.Contains(got, "CURSOR_EXPIRED") {
		t.Error(got)
	}
	m.want("--\r\n")
	for accept, want := range map[string]int{
		"multipart/mixed":                           406, // of another kind
		`multipart/mixed;subscriptionSpec="1.0"`:    200,
		"multipart/mixed;deferSpec=20220824":        406,
		"multipart/mixed;subscriptionSpec=1.0;q=0":  406,
		"multipart/mixed;subscriptionSpec=1.0, */*": 200,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/graphql", strings.NewReader(subscribe))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {accept}, "Authorization": {"Bearer " + alice}}
		resp, err := f.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d", accept, resp.StatusCode)
		}
	}
	// What is no subscription is answered as JSON.
	if _, h, body := f.post(t, "{__typename}", "Accept", acceptMultipart); !strings.HasPrefix(h.Get("Content-Type"), "application/json") || !strings.Contains(body, `"Query"`) {
		t.Error(h, body)
	}
}

func TestMultipartDrains(t *testing.T) {
	t.Parallel()
	f := start(t)
	m := f.multipart(t, subscribe)
	m.want(`{}`)
	f.server.Drain()
	m.want("") // no end: the client comes back
}
