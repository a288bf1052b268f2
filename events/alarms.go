package events

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/store"
)

// Alarms publishes what hark has to tell of itself: events of the source service
// "hark", in the project that they are about. They are stored with what they
// tell of, so none is lost, and leave their table in the transaction that puts
// them into the log, so none is told twice.
type Alarms struct {
	publisher *Publisher
	log       *slog.Logger
}

// NewAlarms makes an Alarms.
func NewAlarms(p *Publisher, log *slog.Logger) *Alarms { return &Alarms{p, log} }

const (
	// alarmsEvery is how often alarms are looked for.
	alarmsEvery = 500 * time.Millisecond
	// alarmsBatch is how many are published at a time.
	alarmsBatch = 500
)

// Run publishes until ctx ends. Trouble is logged once, until it is over.
func (a *Alarms) Run(ctx context.Context) error {
	tick := time.NewTicker(alarmsEvery)
	defer tick.Stop()
	for failing := false; ; {
		err := a.publish(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			a.log.Error("alarms wait to be published", "err", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// publish publishes what there is to tell.
func (a *Alarms) publish(ctx context.Context) error {
	for {
		list, err := a.publisher.store.Alarms(ctx, alarmsBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		var all sync.WaitGroup
		errs := make([]error, len(list))
		for i, row := range list {
			all.Go(func() { errs[i] = a.publisher.publishAlarm(ctx, row) }) // one transaction for many
		}
		all.Wait()
		var refused []hark.ID
		for i, row := range list {
			// What can't be published, since its project or its definition was deleted,
			// is nothing that anybody wants to hear of.
			if e, ok := errors.AsType[*hark.Error](errs[i]); ok && e.Code != hark.Internal {
				refused = append(refused, row.ID)
				errs[i] = nil
			}
		}
		if len(refused) > 0 {
			if err := a.publisher.store.DropAlarms(ctx, refused); err != nil {
				return err
			}
		}
		if err := errors.Join(errs...); err != nil || len(list) < alarmsBatch {
			return err
		}
	}
}

// publishAlarm publishes an alarm, which is nobody's.
func (p *Publisher) publishAlarm(ctx context.Context, row *ent.Alarm) error {
	e := &hark.Event{
		ProjectID: row.ProjectID, Kind: hark.Kind{SourceService: store.Hark, ResourceType: row.ResourceType, OperationType: row.OperationType},
		Payload: row.Payload, Actor: store.Hark, OccurredAt: row.OccurredAt,
	}
	revision, err := p.define(ctx, e)
	if err != nil {
		return err
	}
	r := &request{Append: store.Append{Events: []*hark.Event{e}, Alarm: row.ID}, revision: revision}
	if err := p.group.Do(ctx, r); err != nil {
		return err
	}
	return r.Err
}
