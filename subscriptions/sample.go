package subscriptions

import (
	"context"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/store"
)

// samplePayload is what a test sends.
const samplePayload = `{"hark":"This is a sample event: it tests the subscription, nothing happened."}`

// Test sends a marked sample event to this subscription alone, and returns the
// delivery once its one attempt has an outcome, or the subscription's time-out
// has passed.
func (s *Service) Test(ctx context.Context, id hark.ID) (*ent.Delivery, error) {
	row, err := s.row(ctx, hark.ManageSubscriptions, id)
	if err != nil {
		return nil, err
	}
	definition := row.Edges.EventDefinitions[0]
	now := hark.Now()
	e := &hark.Event{
		ID: hark.NewID(), ProjectID: row.ProjectID, DefinitionID: definition.ID,
		Kind:    hark.Kind{SourceService: definition.SourceService, ResourceType: definition.ResourceType, OperationType: definition.OperationType},
		Payload: hark.JSON(samplePayload), Actor: "hark", OccurredAt: now, PublishedAt: now,
	}
	d := hark.NewID()
	err = s.store.Tx(ctx, func(tx *ent.Tx) error {
		if err := store.AppendSample(ctx, tx, e); err != nil {
			return err
		}
		if err := tx.Delivery.Create().SetID(d).SetProjectID(row.ProjectID).SetSubscriptionID(id).SetEventID(e.ID).SetSequence(0).
			SetStatus(hark.Pending).SetTest(true).SetNextAttemptAt(store.TestDue).SetCreatedAt(now).SetUpdatedAt(now).Exec(ctx); err != nil {
			return err
		}
		return s.authority.Audit(ctx, tx, "testEventSubscription", id.String(), &row.ProjectID, nil)
	})
	if err != nil {
		return nil, err
	}
	s.conf.Wake()
	return s.await(ctx, d, time.Duration(row.TimeoutSeconds)*time.Second+waitForWorker)
}

const (
	// waitForWorker is how long a test waits for a worker beyond the time-out of the attempt.
	waitForWorker = 2 * time.Second
	// waitStep is how often it looks: the worker may be another node's.
	waitStep = 25 * time.Millisecond
)

// await returns a delivery once it has an outcome, or as it is when limit has passed.
func (s *Service) await(ctx context.Context, id hark.ID, limit time.Duration) (*ent.Delivery, error) {
	deadline := time.After(limit)
	tick := time.NewTicker(waitStep)
	defer tick.Stop()
	for {
		d, err := s.store.Ent().Delivery.Get(ctx, id)
		if err != nil || d.AttemptCount > 0 {
			return d, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline:
			return d, nil
		case <-tick.C:
		}
	}
}
