package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hark-events/hark/delivery"
)

// maxDrain is how much of an answer is read beyond what is kept, so that its
// connection can serve the next callback. Closing costs less than reading more.
const maxDrain = 16 << 10

// receipt reads an answer: the first 4 KiB, and never more than maxDrain beyond.
// A body that breaks off or takes too long is kept as far as it came: the status
// has said already what counts.
func receipt(resp *http.Response, now time.Time) delivery.Receipt {
	defer resp.Body.Close()
	r := delivery.Receipt{StatusCode: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), now)}
	// So too for a 101, where the body is the connection, which no context ends.
	if resp.ContentLength == 0 {
		return r
	}
	kept, err := io.ReadAll(io.LimitReader(resp.Body, delivery.MaxResponseBody))
	r.ResponseBody = delivery.Text(string(kept), delivery.MaxResponseBody)
	if err == nil && len(kept) == delivery.MaxResponseBody && resp.ContentLength <= maxDrain {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain) // if it fails, the connection is not used again
	}
	return r
}

// judge says what an answer means.
func judge(resp *http.Response) error {
	code := resp.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	err := fmt.Errorf("answered %d", code)
	switch {
	case code == http.StatusGone:
		return delivery.Gone(err)
	case code >= 300 && code < 400:
		err = fmt.Errorf("answered %d: redirect not followed", code)
		if to, e := resp.Location(); e == nil {
			// The host alone: path and query may hold what is nobody's business.
			err = fmt.Errorf("answered %d: redirect to %s://%s not followed", code, to.Scheme, to.Host)
		}
	}
	// Standard Webhooks: the subscriber will never take this message.
	if strings.EqualFold(resp.Header.Get("webhook-delivery"), "abort-message") {
		return delivery.Permanent(fmt.Errorf("%w, abort-message", err))
	}
	return err
}

// retryAfter reads the header Retry-After: seconds or a date (RFC 9110, section
// 10.2.3). What is neither counts as none.
func retryAfter(s string, now time.Time) time.Duration {
	if s == "" {
		return 0
	}
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// A phase is how far a request has come, for the words of a time-out.
type phase struct{ atomic.Int32 }

func (p *phase) String() string {
	return [...]string{"connecting", "sending the request", "waiting for headers"}[p.Load()]
}

// watch returns a context whose request tells its phase.
func watch(ctx context.Context) (context.Context, *phase) {
	p := new(phase)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { p.Store(1) },
		WroteRequest: func(httptrace.WroteRequestInfo) { p.Store(2) },
	}), p
}
