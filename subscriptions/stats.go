package subscriptions

import (
	"context"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/store"
)

// DeliveryStats sums up the attempts of a subscription in a window of time.
type DeliveryStats struct {
	Succeeded, Failed int // attempts
	Pending, Held     int // deliveries created in the window
	SuccessRate       *float64
	P50Ms, P95Ms      *float64
}

// Stats sums up what became of a subscription's deliveries from since, else
// from the start, until until, else now.
func (s *Service) Stats(ctx context.Context, row *ent.EventSubscription, since, until *hark.Time) (*DeliveryStats, error) {
	from, to := hark.Time(0), hark.Now()
	set(&from, since)
	set(&to, until)
	if from > to {
		return nil, hark.BadInput("since", "since is after until")
	}
	out := &DeliveryStats{}
	durations, err := s.store.Durations(ctx, row.ID, from, to)
	if err != nil {
		return nil, err
	}
	for _, d := range durations {
		out.Succeeded += d.Succeeded
		out.Failed += d.Attempts - d.Succeeded
	}
	if total := out.Succeeded + out.Failed; total > 0 {
		rate := float64(out.Succeeded) / float64(total)
		out.SuccessRate, out.P50Ms, out.P95Ms = &rate, percentile(durations, total, 50), percentile(durations, total, 95)
	}
	made := s.store.Ent().Delivery.Query().Where(delivery.SubscriptionID(row.ID), delivery.CreatedAtGTE(from), delivery.CreatedAtLT(to))
	if out.Pending, err = made.Clone().Where(delivery.StatusIn(hark.Pending, hark.InProgress)).Count(ctx); err != nil {
		return nil, err
	}
	out.Held, err = made.Where(delivery.StatusEQ(hark.Held)).Count(ctx)
	return out, err
}

// percentile is the least duration, in milliseconds, that is not below percent
// of all, to three digits.
func percentile(durations []store.Duration, total, percent int) *float64 {
	left := (total*percent + 99) / 100
	for _, d := range durations {
		if left -= d.Attempts; left <= 0 {
			ms := float64(d.Least) / float64(time.Millisecond)
			return &ms
		}
	}
	return nil // there are no attempts
}
