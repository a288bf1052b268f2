package hark

import (
	"io"
	"math"
	"time"
)

// A Time is a moment in Unix nanoseconds: the years 1678 to 2261. The zero Time
// means none.
//
// Every table keeps times in this form, so that they sort and compare alike on
// both databases and an event's time keeps the digits it was published with.
type Time int64

// Now is the present moment, to the microsecond.
func Now() Time { return TimeOf(time.Now().Truncate(time.Microsecond)) }

// TimeOf converts t; what lies outside the range becomes none.
func TimeOf(t time.Time) Time {
	if t.IsZero() || t.Year() < 1678 || t.Year() > 2261 {
		return 0
	}
	return Time(t.UnixNano())
}

// ParseTime reads RFC 3339 with up to nine digits of fraction.
func ParseTime(s string) (Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err == nil && TimeOf(t) != 0 {
		return TimeOf(t), nil
	}
	return 0, Errorf(BadUserInput, "a time is RFC 3339 between the years 1678 and 2261, such as 2026-01-02T03:04:05.678Z")
}

// IsZero tells whether t is none.
func (t Time) IsZero() bool { return t == 0 }

// Time converts t to the standard library's type, in UTC.
func (t Time) Time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(t)).UTC()
}

// Add gives the moment d later, at most the last one that there is.
func (t Time) Add(d time.Duration) Time {
	if d > 0 && int64(t) > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return t + Time(d)
}

// Sub gives the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

func (t Time) String() string { return t.Time().Format(time.RFC3339Nano) }

// AppendText appends RFC 3339 in UTC with as many digits as needed; it never fails.
func (t Time) AppendText(b []byte) ([]byte, error) {
	return t.Time().AppendFormat(b, time.RFC3339Nano), nil
}

// MarshalText gives RFC 3339 in UTC; it never fails.
func (t Time) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// UnmarshalText is ParseTime.
func (t *Time) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTime(string(b))
	return err
}

// MarshalGQL writes the GraphQL scalar Time; none is null.
func (t Time) MarshalGQL(w io.Writer) {
	if t == 0 {
		_, _ = io.WriteString(w, "null") // gqlgen's writer is a buffer
		return
	}
	b := append(make([]byte, 0, 40), '"')
	b, _ = t.AppendText(b) // never fails
	_, _ = w.Write(append(b, '"'))
}

// UnmarshalGQL reads the GraphQL scalar Time.
func (t *Time) UnmarshalGQL(v any) (err error) {
	s, _ := v.(string)
	*t, err = ParseTime(s)
	return err
}
