package access

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/ent/deliveryattempt"
	"github.com/hark-events/hark/ent/event"
	entproject "github.com/hark-events/hark/ent/project"
)

// sweepBatch is how many rows one transaction deletes: a publish waits for it,
// on SQLite, a few milliseconds.
const sweepBatch = 500

// sweep clears away deliveries, attempts and events of projects that are gone.
// It finds them by what they left, so it goes on wherever an earlier one was cut.
func (a *Access) sweep(ctx context.Context) error {
	client := a.store.Ent()
	err := a.eachOrphan(ctx, func(behind hark.ID) (hark.ID, error) {
		row, err := client.Delivery.Query().Where(delivery.ProjectIDGT(behind)).Order(delivery.ByProjectID()).
			Select(delivery.FieldID, delivery.FieldProjectID).First(ctx)
		if err != nil {
			return hark.ID{}, err
		}
		return row.ProjectID, nil
	}, func(project hark.ID) (int, error) {
		ids, err := client.Delivery.Query().Where(delivery.ProjectID(project)).Limit(sweepBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return len(ids), a.store.Tx(ctx, func(tx *ent.Tx) error {
			if _, err := tx.DeliveryAttempt.Delete().Where(deliveryattempt.DeliveryIDIn(ids...)).Exec(ctx); err != nil {
				return err
			}
			_, err := tx.Delivery.Delete().Where(delivery.IDIn(ids...)).Exec(ctx)
			return err
		})
	})
	if err != nil {
		return err
	}
	return a.eachOrphan(ctx, func(behind hark.ID) (hark.ID, error) {
		row, err := client.Event.Query().Where(event.ProjectIDGT(behind)).Order(event.ByProjectID()).
			Select(event.FieldID, event.FieldProjectID).First(ctx)
		if err != nil {
			return hark.ID{}, err
		}
		return row.ProjectID, nil
	}, func(project hark.ID) (int, error) {
		ids, err := client.Event.Query().Where(event.ProjectID(project)).Limit(sweepBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return client.Event.Delete().Where(event.IDIn(ids...)).Exec(ctx)
	})
}

// eachOrphan steps through the projects that next finds, in the order of their
// ids (one look into an index for each), and has those that no longer exist deleted
// batch by batch.
func (a *Access) eachOrphan(ctx context.Context, next func(behind hark.ID) (hark.ID, error), remove func(project hark.ID) (int, error)) error {
	for project := (hark.ID{}); ; {
		var err error
		if project, err = next(project); ent.IsNotFound(err) {
			return nil
		} else if err != nil {
			return err
		}
		exists, err := a.store.Ent().Project.Query().Where(entproject.ID(project)).Exist(ctx)
		if err != nil {
			return err
		}
		for !exists {
			if n, err := remove(project); err != nil {
				return err
			} else if n == 0 {
				break
			}
		}
	}
}
