package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hark-events/hark"
)

// claim leases for wants, but for their events.
func (s *Store) claim(ctx context.Context, wants []hark.Want, now, until hark.Time) (cs []claimed, err error) {
	var plain []want
	var idle []hark.Want // of which nothing was claimed
	for _, w := range wants {
		if w.MaxPerSecond == 0 {
			plain = append(plain, want{Want: w})
			continue
		}
		found, err := s.claimPaced(ctx, w, now, until)
		if cs = append(cs, found...); err != nil {
			return cs, err
		}
		if len(found) == 0 {
			idle = append(idle, w)
		}
	}
	if len(plain) > 0 {
		found, err := s.hot.claim(ctx, plain, now, until)
		if cs = append(cs, found...); err != nil {
			return cs, err
		}
		got := make(map[hark.ID]bool, len(found))
		for _, c := range found {
			got[c.subscription] = true
		}
		for _, w := range plain {
			if !got[w.Subscription] {
				idle = append(idle, w.Want)
			}
		}
	}
	if len(idle) == 0 {
		return cs, nil
	}
	found, err := s.probe(ctx, idle, now, until)
	return append(cs, found...), err
}

// probe leases one delivery for each of those whose circuit is open and due to
// be probed. Who moves the time of the next probe has this one: if it ends
// without an outcome, the next one comes when its lease has run out.
func (s *Store) probe(ctx context.Context, idle []hark.Want, now, until hark.Time) (cs []claimed, err error) {
	ids := make([]hark.ID, len(idle))
	for i, w := range idle {
		ids[i] = w.Subscription
	}
	where, args := s.in("id", ids)
	due, err := s.ids(ctx, "SELECT id FROM event_subscriptions WHERE active AND opened_at > 0 AND probe_at <= ? AND "+where, append([]any{now}, args...)...)
	if err != nil {
		return nil, err
	}
	for _, w := range idle {
		if !slices.Contains(due, w.Subscription) {
			continue
		}
		n, err := s.exec(ctx, "UPDATE event_subscriptions SET probe_at = ? WHERE id = ? AND active AND opened_at > 0 AND probe_at <= ?", until, w.Subscription, now)
		if err != nil || n == 0 { // none: another node was faster
			return cs, err
		}
		w.N = 1
		found, err := s.hot.claim(ctx, []want{{w, true}}, now, until)
		if err != nil {
			return cs, err
		}
		if len(found) == 0 { // it was not due after all
			if _, err := s.exec(ctx, "UPDATE event_subscriptions SET probe_at = ? WHERE id = ? AND probe_at = ?", now, w.Subscription, until); err != nil {
				return cs, err
			}
		}
		cs = append(cs, found...)
	}
	return cs, nil
}

// unprobe makes circuits due to be probed again whose probes were released: the
// time of the next one is the end of the lease that was given for this one.
func (s *Store) unprobe(ctx context.Context, ds []*hark.Delivery) error {
	leases := make(map[hark.ID]hark.Time, len(ds))
	for _, d := range ds {
		leases[d.SubscriptionID] = d.LeasedUntil // of a probe there is one
	}
	where, args := s.in("id", slices.Collect(maps.Keys(leases)))
	open, err := s.ids(ctx, "SELECT id FROM event_subscriptions WHERE opened_at > 0 AND "+where, args...)
	if err != nil {
		return err
	}
	for _, id := range open {
		if _, err := s.exec(ctx, "UPDATE event_subscriptions SET probe_at = ? WHERE id = ? AND probe_at = ?", hark.Now(), id, leases[id]); err != nil {
			return err
		}
	}
	return nil
}

// paceAhead is how far ahead deliveries of a subscription with a pace are
// claimed, so that a thousand a second do not mean a thousand claims a second.
const paceAhead = 100 * time.Millisecond

// claimPaced leases what may start within paceAhead, each with its time. Nodes
// share a subscription's pace by taking turns at its row.
func (s *Store) claimPaced(ctx context.Context, w hark.Want, now, until hark.Time) ([]claimed, error) {
	interval := time.Second / time.Duration(w.MaxPerSecond)
	var next hark.Time
	if err := s.reader.QueryRowContext(ctx, s.rebind("SELECT coalesce((SELECT next_start_at FROM event_subscriptions WHERE id = ?), 0)"), w.Subscription).Scan(&next); err != nil {
		return nil, err
	}
	first := max(next, now)
	ahead := paceAhead - first.Sub(now)
	if ahead < paceAhead/2 {
		return nil, nil
	}
	w.N = min(w.N, 1+int(ahead/interval))
	taken := first.Add(time.Duration(w.N) * interval)
	const take = "UPDATE event_subscriptions SET next_start_at = ? WHERE id = ? AND next_start_at = ?"
	n, err := s.exec(ctx, take, taken, w.Subscription, next)
	if err != nil || n == 0 { // none: it is gone, or another node was faster
		return nil, err
	}
	cs, err := s.hot.claim(ctx, []want{{Want: w}}, now, until)
	for i := range cs {
		cs[i].startAt = first.Add(time.Duration(i) * interval)
	}
	if unused := w.N - len(cs); err == nil && unused > 0 {
		back := next // as if nothing had been taken
		if len(cs) > 0 {
			back = first.Add(time.Duration(len(cs)) * interval)
		}
		_, err = s.exec(ctx, take, back, w.Subscription, taken)
	}
	return cs, err
}
