package subscriptions

import (
	"context"
	"fmt"
	"net/url"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventsubscription"
)

// audited is what the audit log tells of a subscription: no credential, and of
// the endpoint neither user nor query, which may be one.
type audited struct {
	SubscriberService  string                `json:"subscriberService"`
	DeliveryEndpoint   string                `json:"deliveryEndpoint"`
	CallbackProtocol   hark.CallbackProtocol `json:"callbackProtocol"`
	Active             bool                  `json:"active"`
	PayloadType        hark.PayloadType      `json:"payloadType"`
	Conditions         []*hark.Conditions    `json:"conditions"`
	ScheduleSeconds    []int                 `json:"scheduleSeconds"`
	TimeoutSeconds     int                   `json:"timeoutSeconds"`
	MaxPerSecond       *int                  `json:"maxPerSecond,omitempty"`
	MaxInFlight        int                   `json:"maxInFlight"`
	Ordered            bool                  `json:"ordered"`
	HoldWhilePaused    bool                  `json:"holdWhilePaused"`
	AllowOverlap       bool                  `json:"allowOverlap"`
	Signature          hark.SignatureScheme  `json:"signature"`
	EventDefinitionIDs []hark.ID             `json:"eventDefinitionIds"`
}

// auditedChange is a change as the audit log tells it.
type auditedChange struct {
	Before *audited `json:"before,omitempty"`
	After  *audited `json:"after,omitempty"`
}

// audit reads a subscription as it is in tx; nil: there is none.
func audit(ctx context.Context, tx *ent.Tx, id hark.ID) (*audited, error) {
	row, err := tx.EventSubscription.Query().Where(eventsubscription.ID(id)).WithEventDefinitions().Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the subscription for the audit log: %w", err)
	}
	a := &audited{
		SubscriberService: row.SubscriberService, DeliveryEndpoint: place(row.DeliveryEndpoint), CallbackProtocol: row.CallbackProtocol,
		Active: row.Active, PayloadType: row.PayloadType, Conditions: row.Conditions, ScheduleSeconds: row.ScheduleSeconds,
		TimeoutSeconds: row.TimeoutSeconds, MaxPerSecond: row.MaxPerSecond, MaxInFlight: row.MaxInFlight, Ordered: row.Ordered,
		HoldWhilePaused: row.HoldWhilePaused, AllowOverlap: row.AllowOverlap, Signature: row.Signature,
	}
	for _, d := range row.Edges.EventDefinitions {
		a.EventDefinitionIDs = append(a.EventDefinitionIDs, d.ID)
	}
	return a, nil
}

// place is an endpoint without what may be a secret in it.
func place(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
