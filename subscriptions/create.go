package subscriptions

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/store"
)

// Create stores a new subscription and gives its signing secret, which is shown
// only now. Every event that is published after Create returned is matched
// against it, on every node.
//
// The subscription belongs to the caller: what its owner may not have is held.
//
// Errors: BAD_USER_INPUT, CONFLICT (an overlap), NOT_FOUND (the project),
// FORBIDDEN, also for an event definition of which the caller may have nothing.
func (s *Service) Create(ctx context.Context, in CreateEventSubscriptionInput) (*ent.EventSubscription, hark.Secret, error) {
	viewer, err := hark.ViewerFrom(ctx)
	if err != nil {
		return nil, "", err
	}
	project := store.DefaultProjectID()
	set(&project, in.ProjectID)
	if err := s.authority.Require(ctx, hark.ManageSubscriptions, project); err != nil {
		return nil, "", err
	}
	if in.Auth.credentials() == nil {
		return nil, "", errAuth()
	}
	o := newOrder(in)
	o.ProjectID, o.OwnerID = project, viewer.IdentityID
	if err := s.check(o); err != nil {
		return nil, "", err
	}
	if _, err := s.subscribable(ctx, s.store.Ent().EventDefinition, o); err != nil {
		return nil, "", err
	}
	if o.Credentials, err = s.store.SealCredentials(o.ID, *o.credentials); err != nil {
		return nil, "", err
	}
	secret := delivery.NewSigningSecret()
	err = s.change(ctx, "createEventSubscription", o.ID, project, func(tx *ent.Tx) error {
		if err := s.lockDefinitions(ctx, tx, o); err != nil {
			return err
		}
		if !o.AllowOverlap {
			if err := o.alone(ctx, tx.EventSubscription, "input"); err != nil {
				return err
			}
		}
		now := hark.Now()
		return tx.EventSubscription.Create().SetID(o.ID).SetCreatedAt(now).SetUpdatedAt(now).SetProjectID(project).SetOwnerID(o.OwnerID).
			SetSubscriberService(o.SubscriberService).SetDeliveryEndpoint(o.DeliveryEndpoint).SetCallbackProtocol(o.CallbackProtocol).
			SetNillableRequestMethod(o.RequestMethod).SetNillableSoapVersion(o.SoapVersion).SetActive(o.Active).SetPayloadType(o.PayloadType).
			SetConditions(notNil(o.Conditions)).SetScheduleSeconds(notNil(o.ScheduleSeconds)).SetTimeoutSeconds(o.TimeoutSeconds).
			SetNillableMaxPerSecond(o.MaxPerSecond).SetMaxInFlight(o.MaxInFlight).SetOrdered(o.Ordered).SetHoldWhilePaused(o.HoldWhilePaused).SetAllowOverlap(o.AllowOverlap).
			SetSignature(o.Signature).SetAuth(shown(o.credentials)).SetCredentials(o.Credentials).SetSigningSecret(s.store.Seal(o.ID, secret)).
			AddEventDefinitionIDs(o.definitions...).Exec(ctx)
	})
	if err != nil {
		return nil, "", err
	}
	row, err := s.again(ctx, o.ID)
	return row, secret, err
}

// lockDefinitions checks in tx that the definitions of an order exist, and keeps
// them from being deleted until tx ends.
func (s *Service) lockDefinitions(ctx context.Context, tx *ent.Tx, o *order) error {
	n, err := s.store.LockDefinitions(ctx, tx, o.definitions)
	if err == nil && n != len(o.definitions) {
		return errDefinitions()
	}
	return err
}

func errDefinitions() error {
	return hark.BadInput("input.eventDefinitionIds", "an event definition of the list does not exist, or stands in it twice")
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
