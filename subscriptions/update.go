package subscriptions

import (
	"context"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/store"
)

// Update changes what in sets. Attempts that are under way end as they began;
// later ones are made as the subscription says now. It stays its owner's; but
// who changes what is sent, or where to, must be one who may have it too.
func (s *Service) Update(ctx context.Context, id hark.ID, in UpdateEventSubscriptionInput) (*ent.EventSubscription, error) {
	if in.Auth != nil && in.Auth.credentials() == nil {
		return nil, errAuth()
	}
	row, err := s.edit(ctx, "updateEventSubscription", id, func(tx *ent.Tx, row *ent.EventSubscription) error {
		o := orderOf(row)
		wasActive := row.Active
		o.change(in)
		if err := s.check(o); err != nil {
			return err
		}
		if err := s.lockDefinitions(ctx, tx, o); err != nil {
			return err
		}
		if err := o.besides(ctx, tx.EventSubscription, in, wasActive); err != nil {
			return err
		}
		if in.redirects() {
			if _, err := s.subscribable(ctx, tx.EventDefinition, o); err != nil {
				return err
			}
		}
		if err := s.write(ctx, tx, o); err != nil {
			return err
		}
		switch {
		case wasActive && !o.Active:
			return store.Hold(ctx, tx, id)
		case !wasActive && o.Active:
			return s.unhold(ctx, tx, id, hark.Deliver)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.conf.Wake()
	if in.Active != nil {
		s.labels.add(row)
	}
	return row, nil
}

func (s *Service) write(ctx context.Context, tx *ent.Tx, o *order) error {
	u := tx.EventSubscription.UpdateOneID(o.ID).AddVersion(1).
		SetSubscriberService(o.SubscriberService).SetDeliveryEndpoint(o.DeliveryEndpoint).SetCallbackProtocol(o.CallbackProtocol).
		SetActive(o.Active).SetPayloadType(o.PayloadType).
		SetConditions(notNil(o.Conditions)).SetScheduleSeconds(notNil(o.ScheduleSeconds)).SetTimeoutSeconds(o.TimeoutSeconds).
		SetMaxInFlight(o.MaxInFlight).SetOrdered(o.Ordered).SetHoldWhilePaused(o.HoldWhilePaused).SetAllowOverlap(o.AllowOverlap).
		SetSignature(o.Signature).SetProbeAt(0). // an open circuit is probed at once: this may have mended it
		ClearEventDefinitions().AddEventDefinitionIDs(o.definitions...)
	// Clear and Set of one column are two assignments, which PostgreSQL refuses.
	if o.RequestMethod != nil {
		u.SetRequestMethod(*o.RequestMethod)
	} else {
		u.ClearRequestMethod()
	}
	if o.SoapVersion != nil {
		u.SetSoapVersion(*o.SoapVersion)
	} else {
		u.ClearSoapVersion()
	}
	if o.MaxPerSecond != nil {
		u.SetMaxPerSecond(*o.MaxPerSecond)
	} else {
		u.ClearMaxPerSecond()
	}
	if o.credentials != nil {
		sealed, err := s.store.SealCredentials(o.ID, *o.credentials)
		if err != nil {
			return err
		}
		u.SetAuth(shown(o.credentials)).SetCredentials(sealed)
	}
	return u.Exec(ctx)
}

// Pause stops the attempts at deliveries of a subscription: what waits is held.
// What is matched meanwhile is held too, or discarded if the subscription does
// not hold while paused.
func (s *Service) Pause(ctx context.Context, id hark.ID) (*ent.EventSubscription, error) {
	row, err := s.edit(ctx, "pauseEventSubscription", id, func(tx *ent.Tx, row *ent.EventSubscription) error {
		if !row.Active {
			return errSame
		}
		if err := row.Update().SetActive(false).AddVersion(1).Exec(ctx); err != nil {
			return err
		}
		return store.Hold(ctx, tx, id)
	})
	s.conf.Wake() // to give up what it has leased
	if err != nil {
		return nil, err
	}
	s.labels.add(row)
	return row, nil
}

// Resume lets deliveries go on, and enables a subscription that was disabled;
// CONFLICT if another one has taken its place meanwhile.
// Cut short, a resume that discards the backlog has dropped the oldest of it,
// and the subscription is still paused.
func (s *Service) Resume(ctx context.Context, id hark.ID, backlog hark.Backlog) (*ent.EventSubscription, error) {
	row, err := s.row(ctx, hark.ManageSubscriptions, id)
	if err != nil || row.Active {
		return row, err
	}
	if err := resumed(row).aloneAgain(ctx, s.store.Ent().EventSubscription, "id"); err != nil {
		return nil, err // before anything is dropped
	}
	if backlog == hark.Discard { // there may be a million: first most of it, outside of the transaction
		if err := s.store.DiscardBacklog(ctx, id, row.Version, backlogDiscarded); err != nil {
			return nil, err
		}
	}
	row, err = s.edit(ctx, "resumeEventSubscription", id, func(tx *ent.Tx, row *ent.EventSubscription) error {
		if row.Active {
			return errSame
		}
		if err := resumed(row).aloneAgain(ctx, tx.EventSubscription, "id"); err != nil {
			return err
		}
		if err := row.Update().SetActive(true).AddVersion(1).Exec(ctx); err != nil {
			return err
		}
		return s.unhold(ctx, tx, id, backlog)
	})
	if err != nil {
		return nil, err
	}
	s.conf.Wake()
	s.labels.add(row)
	return row, nil
}

// resumed is a subscription as it will be once it is resumed.
func resumed(row *ent.EventSubscription) *order {
	active := *row
	active.Active = true
	return orderOf(&active)
}

// backlogDiscarded is why deliveries were dropped when a subscription resumed.
const backlogDiscarded = "backlog discarded"

// unhold lets go what was held, and forgets that the subscription was disabled.
func (s *Service) unhold(ctx context.Context, tx *ent.Tx, id hark.ID, backlog hark.Backlog) error {
	if err := store.ResetCircuit(ctx, tx, id); err != nil {
		return err
	}
	if backlog == hark.Discard {
		return store.DiscardHeld(ctx, tx, id, backlogDiscarded)
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
	secret, until := delivery.NewSigningSecret(), hark.Now().Add(time.Duration(graceSeconds)*time.Second)
	row, err := s.edit(ctx, "rotateSigningSecret", id, func(_ *ent.Tx, row *ent.EventSubscription) error {
		u := row.Update().AddVersion(1).SetSigningSecret(s.store.Seal(id, secret))
		if !s.store.Opens(id, row.SigningSecret) { // its key is lost: it signs no more
			until = hark.Now()
			return u.ClearPreviousSecret().SetPreviousUntil(0).Exec(ctx)
		}
		return u.SetPreviousSecret(row.SigningSecret).SetPreviousUntil(until).Exec(ctx)
	})
	if err != nil {
		return nil, "", 0, err
	}
	return row, secret, until, nil
}

// Delete removes a subscription, its deliveries and their attempts.
func (s *Service) Delete(ctx context.Context, id hark.ID) error {
	row, err := s.row(ctx, hark.ManageSubscriptions, id)
	if err != nil {
		return err
	}
	// The deliveries are out of sight with their subscription; retention takes
	// them in small batches, since there may be a million.
	err = s.change(ctx, "deleteEventSubscription", id, row.ProjectID, func(tx *ent.Tx) error {
		err := tx.EventSubscription.DeleteOneID(id).Exec(ctx)
		if ent.IsNotFound(err) { // somebody else was faster
			return errNone
		}
		return err
	})
	s.conf.Wake() // to give up what it has leased
	return err
}
