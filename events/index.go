package events

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventdefinition"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/internal/pattern"
	"github.com/hark-events/hark/store"
)

// An index knows which subscriptions of a project want which events, at one
// version of the project's subscriptions, and what their owners may have, as it
// stood at one time. It never changes.
type index struct {
	version int64
	targets map[hark.ID][]*target // by definition

	owners   []hark.ID
	standing int64
	may      map[hark.ID]func(*hark.Event) bool // by owner
}

// A target is a subscription as matching sees it: a few hundred bytes, since
// there may be a hundred thousand of them.
type target struct {
	id, owner  hark.ID
	version    int64
	status     hark.DeliveryStatus    // of its new deliveries
	conditions []pattern.Registration // any of them; none: every event
}

// loadIndex reads the subscriptions of a project. The caller holds the
// project's counter row, so that they are those of version.
func loadIndex(ctx context.Context, st *store.Store, project hark.ID, version int64) (*index, error) {
	rows, err := st.Ent().EventSubscription.Query().Where(eventsubscription.ProjectID(project)).
		Select(eventsubscription.FieldID, eventsubscription.FieldOwnerID, eventsubscription.FieldVersion, eventsubscription.FieldActive, eventsubscription.FieldConditions,
			eventsubscription.FieldHoldWhilePaused).
		WithEventDefinitions(func(q *ent.EventDefinitionQuery) { q.Select(eventdefinition.FieldID) }).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the subscriptions: %w", err)
	}
	ix := &index{version: version, targets: map[hark.ID][]*target{}}
	owners := map[hark.ID]struct{}{}
	for _, row := range rows {
		owners[row.OwnerID] = struct{}{}
		t, err := newTarget(row)
		if err != nil {
			return nil, fmt.Errorf("compile the conditions of subscription %s: %w", row.ID, err)
		}
		for _, d := range row.Edges.EventDefinitions {
			ix.targets[d.ID] = append(ix.targets[d.ID], t)
		}
	}
	ix.owners = slices.Collect(maps.Keys(owners))
	return ix, nil
}

// judge gives the index with what the owners may have at a standing.
func (ix *index) judge(ctx context.Context, a Authority, project hark.ID, standing int64) (*index, error) {
	may, err := a.Owners(ctx, project, ix.owners)
	if err != nil {
		return nil, err
	}
	next := *ix
	next.may, next.standing = may, standing
	return &next, nil
}

func newTarget(row *ent.EventSubscription) (*target, error) {
	conditions, err := CompileConditions(row.Conditions)
	if err != nil {
		return nil, err
	}
	t := &target{id: row.ID, owner: row.OwnerID, version: row.Version, status: hark.Pending, conditions: conditions}
	if !row.Active {
		t.status = hark.Held
		if !row.HoldWhilePaused {
			t.status = hark.Discarded
		}
	}
	return t, nil
}

// CompileConditions compiles a subscription's conditions, any of which lets an
// event pass. Its error is a BAD_USER_INPUT whose field is such as "conditions.2.secretPath".
func CompileConditions(conditions []*hark.Conditions) ([]pattern.Registration, error) {
	var compiled []pattern.Registration
	for i, c := range conditions {
		r, err := pattern.CompileRegistration(hark.Registration{Event: "*", Conditions: c})
		if err != nil {
			why := err.Error()
			if e, ok := errors.AsType[*hark.Error](err); ok {
				why = e.Message
			}
			return nil, hark.BadInput(fmt.Sprintf("conditions.%d.secretPath", i), "%s", why)
		}
		compiled = append(compiled, r)
	}
	return compiled, nil
}

// Wants tells whether any of the conditions lets e pass; none at all let everything pass.
func Wants(conditions []pattern.Registration, e *hark.Event) bool {
	if len(conditions) == 0 {
		return true
	}
	for i := range conditions {
		if conditions[i].Match(e) {
			return true
		}
	}
	return false
}
