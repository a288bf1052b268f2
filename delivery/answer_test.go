package delivery

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

// FuzzRetryAfter shows that whatever a subscriber says of when to come back is
// a wait that can be added to a time, and that seconds and dates are understood.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "120", "-1", "+1", "1e3", " 5", "2147483647", "2147483648", "99999999999999999999",
		"Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT",
	} {
		f.Add(seed)
	}
	now := time.Date(2015, 10, 21, 7, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string) {
		got := retryAfter(header, now)
		if got < 0 {
			t.Fatalf("%q: %v", header, got)
		}
		if n, err := strconv.Atoi(header); err == nil && header[0] != '+' && n >= 0 && n <= 1<<31-1 && got != time.Duration(n)*time.Second {
			t.Errorf("%q: %v", header, got)
		}
		if at, err := http.ParseTime(header); err == nil && at.After(now) && at.Before(now.AddDate(200, 0, 0)) && !now.Add(got).Equal(at) {
			t.Errorf("%q: %v", header, got)
		}
	})
}
