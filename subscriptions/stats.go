package subscriptions

import (
	"context"

	"entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/deliveryattempt"
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
	window := s.store.Ent().DeliveryAttempt.Query().Where(deliveryattempt.SubscriptionID(row.ID),
		deliveryattempt.StartedAtGTE(from), deliveryattempt.StartedAtLT(to))
	out := &DeliveryStats{}
	total, err := window.Clone().Count(ctx)
	if err != nil {
		return nil, err
	}
	if out.Succeeded, err = window.Clone().Where(deliveryattempt.Error("")).Count(ctx); err != nil {
		return nil, err
	}
	if out.Failed = total - out.Succeeded; total > 0 {
		rate := float64(out.Succeeded) / float64(total)
		out.SuccessRate = &rate
		for _, q := range []struct {
			at int
			to **float64
		}{{rank(total, 50), &out.P50Ms}, {rank(total, 95), &out.P95Ms}} {
			a, err := window.Clone().Order(deliveryattempt.ByDurationNs(), deliveryattempt.ByID(sql.OrderAsc())).Offset(q.at).First(ctx)
			if err != nil {
				return nil, err
			}
			ms := float64(a.DurationNs) / 1e6
			*q.to = &ms
		}
	}
	made := s.store.Ent().Delivery.Query().Where(delivery.SubscriptionID(row.ID), delivery.CreatedAtGTE(from), delivery.CreatedAtLT(to))
	if out.Pending, err = made.Clone().Where(delivery.StatusIn(hark.Pending, hark.InProgress)).Count(ctx); err != nil {
		return nil, err
	}
	out.Held, err = made.Where(delivery.StatusEQ(hark.Held)).Count(ctx)
	return out, err
}

// rank is the place of a percentile among n in ascending order, from 0 on: the
// least value that is not below percent of them.
func rank(n, percent int) int { return (n*percent+99)/100 - 1 }
