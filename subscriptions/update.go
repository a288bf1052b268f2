package subscriptions

import (
	"context"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/store"
)

// Update changes what in sets. Attempts that are under way end as they began;
// later ones are made as the subscription says now.
func (s *Service) Update(ctx context.Context, id hark.ID, in UpdateEventSubscriptionInput) (*ent.EventSubscription, error) {
	row, err := s.row(ctx, hark.ManageSubscriptions, id)
	if err != nil {
		return nil, err
	}
	if in.Auth != nil && in.Auth.credentials() == nil {
		return nil, hark.BadInput("input.auth", "give exactly one of basic, oauth2, jwt and apiKey")
	}
	o := &order{EventSubscription: row}
	for _, d := range row.Edges.EventDefinitions {
		o.definitions = append(o.definitions, d.ID)
	}
	wasActive := row.Active
	o.change(in)
	if err := s.check(o); err != nil {
		return nil, err
	}
	err = s.change(ctx, "updateEventSubscription", id, row.ProjectID, func(tx *ent.Tx) error {
		if err := s.checkRelations(ctx, tx, o); err != nil {
			return err
		}
		if err := s.write(ctx, tx, o); err != nil {
			return err
		}
		switch {
		case wasActive && !o.Active:
			return s.hold(ctx, tx, o.EventSubscription)
		case !wasActive && o.Active:
			return s.unhold(ctx, tx, id, hark.Deliver)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.conf.Wake()
	return s.again(ctx, id)
}

func (s *Service) write(ctx context.Context, tx *ent.Tx, o *order) error {
	u := tx.EventSubscription.UpdateOneID(o.ID).AddVersion(1).
		SetSubscriberService(o.SubscriberService).SetDeliveryEndpoint(o.DeliveryEndpoint).SetCallbackProtocol(o.CallbackProtocol).
		ClearRequestMethod().ClearSoapVersion().SetActive(o.Active).SetPayloadType(o.PayloadType).
		SetConditions(notNil(o.Conditions)).SetScheduleSeconds(notNil(o.ScheduleSeconds)).SetTimeoutSeconds(o.TimeoutSeconds).
		SetNillableMaxPerSecond(o.MaxPerSecond).SetMaxInFlight(o.MaxInFlight).SetOrdered(o.Ordered).SetHoldWhilePaused(o.HoldWhilePaused).
		SetSignature(o.Signature).ClearEventDefinitions().AddEventDefinitionIDs(o.definitions...)
	if o.RequestMethod != nil {
		u.SetRequestMethod(*o.RequestMethod)
	}
	if o.SoapVersion != nil {
		u.SetSoapVersion(*o.SoapVersion)
	}
	if o.credentials != nil {
		sealed, err := s.store.SealCredentials(o.ID, *o.credentials)
		if err != nil {
			return err
		}
		u.SetCredentials(sealed)
	}
	return u.Exec(ctx)
}

// Pause stops the deliveries of a subscription. What is matched meanwhile is
// held, or discarded if it does not hold while paused.
func (s *Service) Pause(ctx context.Context, id hark.ID) (*ent.EventSubscription, error) {
	row, err := s.row(ctx, hark.ManageSubscriptions, id)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, "pauseEventSubscription", id, row.ProjectID, func(tx *ent.Tx) error {
		n, err := tx.EventSubscription.Update().Where(eventsubscription.ID(id), eventsubscription.Active(true)).
			SetActive(false).AddVersion(1).Save(ctx)
		if err != nil || n == 0 { // no row: paused already
			return err
		}
		return s.hold(ctx, tx, row)
	})
	if err != nil {
		return nil, err
	}
	return s.again(ctx, id)
}

// Resume lets deliveries go on, and enables a subscription that was disabled.
func (s *Service) Resume(ctx context.Context, id hark.ID, backlog hark.Backlog) (*ent.EventSubscription, error) {
	row, err := s.row(ctx, hark.ManageSubscriptions, id)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, "resumeEventSubscription", id, row.ProjectID, func(tx *ent.Tx) error {
		if err := tx.EventSubscription.UpdateOneID(id).SetActive(true).AddVersion(1).Exec(ctx); err != nil {
			return err
		}
		return s.unhold(ctx, tx, id, backlog)
	})
	if err != nil {
		return nil, err
	}
	s.conf.Wake()
	return s.again(ctx, id)
}

// hold stops what waits when a subscription pauses.
func (s *Service) hold(ctx context.Context, tx *ent.Tx, row *ent.EventSubscription) error {
	if err := store.Hold(ctx, tx, row.ID); err != nil || row.HoldWhilePaused {
		return err
	}
	return store.DiscardHeld(ctx, tx, row.ID, "paused")
}

// unhold lets go what was held, and forgets that the subscription was disabled.
func (s *Service) unhold(ctx context.Context, tx *ent.Tx, id hark.ID, backlog hark.Backlog) error {
	if err := tx.EventSubscription.UpdateOneID(id).SetDisabledAt(0).SetDisabledReason("").SetFailingSince(0).Exec(ctx); err != nil {
		return err
	}
	if backlog == hark.Discard {
		return store.DiscardHeld(ctx, tx, id, "backlog discarded")
	}
	return store.Unhold(ctx, tx, id)
}

// maxGrace is how long two signing secrets may sign side by side, in seconds.
const maxGrace = 7 * 24 * 3600

// RotateSigningSecret makes a new signing secret. For graceSeconds both sign.
func (s *Service) RotateSigningSecret(ctx context.Context, id hark.ID, graceSeconds int) (*ent.EventSubscription, hark.Secret, hark.Time, error) {
	if graceSeconds < 0 || graceSeconds > maxGrace {
		return nil, "", 0, hark.BadInput("graceSeconds", "graceSeconds is between 0 and %d", maxGrace)
	}
	row, err := s.row(ctx, hark.ManageSubscriptions, id)
	if err != nil {
		return nil, "", 0, err
	}
	secret, until := delivery.NewSigningSecret(), hark.Now().Add(time.Duration(graceSeconds)*time.Second)
	err = s.change(ctx, "rotateSigningSecret", id, row.ProjectID, func(tx *ent.Tx) error {
		current, err := tx.EventSubscription.Get(ctx, id)
		if err != nil {
			return err
		}
		return current.Update().AddVersion(1).SetPreviousSecret(current.SigningSecret).SetPreviousUntil(until).
			SetSigningSecret(s.store.Seal(id, secret)).Exec(ctx)
	})
	if err != nil {
		return nil, "", 0, err
	}
	row, err = s.again(ctx, id)
	return row, secret, until, err
}

// Delete removes a subscription, its deliveries and their attempts.
func (s *Service) Delete(ctx context.Context, id hark.ID) error {
	row, err := s.row(ctx, hark.ManageSubscriptions, id)
	if err != nil {
		return err
	}
	// The deliveries are out of sight with their subscription; retention takes
	// them in small batches, since there may be a million.
	return s.change(ctx, "deleteEventSubscription", id, row.ProjectID, func(tx *ent.Tx) error {
		return tx.EventSubscription.DeleteOneID(id).Exec(ctx)
	})
}
