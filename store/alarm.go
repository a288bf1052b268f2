package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	entalarm "github.com/hark-events/hark/ent/alarm"
)

// Hark is the source service of the events by which hark tells of itself.
const Hark = "hark"

// ofHark tells whether an attempt was at one of hark's own events: of those
// nothing is told, or a watcher that fails would be told of itself without end.
func ofHark(a *hark.Attempt) bool {
	return a.Delivery.Event == nil || a.Delivery.Event.SourceService == Hark
}

// An alarm is an event of hark's own on its way into the log.
type alarm struct {
	id, project         hark.ID
	resource, operation string
	payload             []byte
	at                  hark.Time

	delivery hark.ID // that it is about
	number   int     // of its last attempt
}

// deaths are the alarms of the deliveries that became dead letters.
func deaths(attempts []*hark.Attempt, now hark.Time) (alarms []alarm) {
	for _, a := range attempts {
		d := a.Delivery
		if a.Status != hark.Failed || d.Test || ofHark(a) {
			continue
		}
		payload, err := json.Marshal(struct {
			DeliveryID          hark.ID `json:"deliveryId"`
			EventSubscriptionID hark.ID `json:"eventSubscriptionId"`
			EventID             hark.ID `json:"eventId"`
			EventType           string  `json:"eventType"`
			Attempts            int     `json:"attempts"`
			Reason              string  `json:"reason"`
		}{d.ID, d.SubscriptionID, d.Event.ID, d.Event.EventType(), d.Attempt, a.Error})
		if err != nil {
			panic(fmt.Sprintf("store: an alarm is plain text: %v", err))
		}
		alarms = append(alarms, alarm{hark.NewID(), d.Event.ProjectID, "delivery", "dead", payload, now, d.ID, d.Attempt})
	}
	return alarms
}

// A subscriptionAlarm is what is told of a subscription.
type subscriptionAlarm struct {
	project           hark.ID
	ID                hark.ID `json:"eventSubscriptionId"`
	SubscriberService string  `json:"subscriberService"`
	Reason            string  `json:"reason,omitempty"`
}

// raise stores an alarm in tx, with what it tells of.
func (s subscriptionAlarm) raise(ctx context.Context, tx *ent.Tx, operation string, at hark.Time) error {
	payload, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return tx.Alarm.Create().SetID(hark.NewID()).SetProjectID(s.project).SetResourceType("subscription").SetOperationType(operation).
		SetPayload(payload).SetOccurredAt(at).Exec(ctx)
}

// Alarms lists alarms that are to be published, the oldest first.
func (s *Store) Alarms(ctx context.Context, limit int) ([]*ent.Alarm, error) {
	return s.client.Alarm.Query().Order(entalarm.ByID()).Limit(limit).All(ctx)
}

// DropAlarms forgets alarms that can't be published.
func (s *Store) DropAlarms(ctx context.Context, ids []hark.ID) error {
	_, err := s.client.Alarm.Delete().Where(entalarm.IDIn(ids...)).Exec(ctx)
	return err
}
