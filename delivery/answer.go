package delivery

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAnswer is how much of an answer is read, in bytes: more than is kept, so
// that a secret that is cut short by the end of what is kept is found, and that
// the connection can serve the next callback. Closing it costs less than reading more.
const maxAnswer = 16 << 10

// An Answer is what a subscriber answered a Call.
type Answer struct {
	Status     int
	Header     http.Header
	Body       string        // its first 16 KiB, without the credentials that were sent
	RetryAfter time.Duration // no attempt before that; 0: as the schedule says

	// Broken says why the body ended before its end; nil when it came whole, or
	// as far as it is read.
	Broken error
	// Failure is what a status other than 2xx means, in words; nil for 2xx.
	Failure error

	sent []string // of the credentials: the header's value, and what is the secret of it
}

// readAnswer reads an answer. A body that breaks off or takes too long is kept
// as far as it came.
func readAnswer(resp *http.Response, started time.Time) *Answer {
	defer resp.Body.Close()
	a := &Answer{
		Status: resp.StatusCode, Header: resp.Header, Failure: judge(resp),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	if resp.ContentLength == 0 {
		return a
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	a.Body = string(body)
	if err != nil {
		a.Broken = errors.New(Explain(err, "reading the answer", time.Since(started)))
	}
	return a
}

// Receipt is what is kept of the answer.
func (a *Answer) Receipt() Receipt {
	return Receipt{StatusCode: a.Status, ResponseBody: Text(a.Body, MaxResponseBody), RetryAfter: a.RetryAfter}
}

// Redact takes the credentials that were sent out of text from the answer.
func (a *Answer) Redact(text string) string { return Redact(text, a.sent...) }

// judge says what an answer's status means.
func judge(resp *http.Response) error {
	code := resp.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	err := fmt.Errorf("answered %d", code)
	switch {
	case code == http.StatusGone:
		return Gone(err)
	case code >= 300 && code < 400:
		err = fmt.Errorf("answered %d: redirect not followed", code)
		if to, e := resp.Location(); e == nil {
			// The host alone: path and query may hold what is nobody's business.
			err = fmt.Errorf("answered %d: redirect to %s://%s not followed", code, to.Scheme, to.Host)
		}
	}
	return Aborted(resp.Header, err)
}

// Aborted marks err as Permanent if the header of the answer that it comes from
// says that the subscriber will never take this message (Standard Webhooks).
func Aborted(h http.Header, err error) error {
	if strings.EqualFold(h.Get("webhook-delivery"), "abort-message") {
		return Permanent(fmt.Errorf("%w, abort-message", err))
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
