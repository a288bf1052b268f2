package delivery

import (
	"math/rand/v2"
	"time"

	"github.com/hark-events/hark"
)

// Schedule is the wait after each failed attempt: ten attempts over 75h35m5s.
// Source: Standard Webhooks 1.0.0, "Deliverability and reliability".
var Schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// maxRetryAfter bounds what a subscriber may ask for: the longest wait of Schedule.
	maxRetryAfter = 24 * time.Hour
	// jitter is the largest part of a wait that is added to it, so that what
	// failed together does not come back together.
	jitter = 0.2
)

// Decide fills in what becomes of a's delivery after an attempt that ended with
// r and err: Error, Status, NextAt and Disable. The next attempt comes
// schedule[n-1] after the end of attempt n, counted from where the schedule last
// began, plus up to 20 %; RetryAfter, at most
// 24 h, moves it later, never earlier. A nil schedule means Schedule. A test has
// one attempt.
func Decide(a *hark.Attempt, schedule []time.Duration, r Receipt, err error) {
	if err == nil {
		a.Status = hark.Succeeded
		return
	}
	if schedule == nil {
		schedule = Schedule
	}
	a.Error = Text(err.Error(), maxError)
	a.Status = hark.Failed
	a.Disable = IsGone(err)
	n := max(a.Delivery.Attempt-a.Delivery.ScheduleStart, 1)
	if IsPermanent(err) || n > len(schedule) || a.Delivery.Test {
		return
	}
	wait := schedule[n-1]
	wait += time.Duration(jitter * rand.Float64() * float64(wait))
	a.Status = hark.Pending
	a.NextAt = a.StartedAt.Add(a.Duration).Add(max(wait, min(r.RetryAfter, maxRetryAfter)))
}
