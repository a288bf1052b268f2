package events

import (
	"cmp"
	"context"
	"strings"
	"unicode/utf8"

	"entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventdefinition"
	"github.com/hark-events/hark/ent/eventsubscription"
	"github.com/hark-events/hark/internal/page"
	"github.com/hark-events/hark/store"
)

// Definitions manages the event definitions, for callers who may.
type Definitions struct {
	store     *store.Store
	catalog   *Catalog
	authority Authority
}

// NewDefinitions makes Definitions.
func NewDefinitions(st *store.Store, c *Catalog, a Authority) *Definitions {
	return &Definitions{store: st, catalog: c, authority: a}
}

// EventDefinitionInput is what a caller says of a definition.
type EventDefinitionInput struct {
	SourceService string
	ResourceType  string
	OperationType string
	EventType     *string
	Description   *string
	PayloadSchema hark.JSON
}

// EventDefinitionFilter narrows a list of definitions. All that are given must hold.
type EventDefinitionFilter struct {
	SourceService *string
	ResourceType  *string
	OperationType *string
	EventType     *string
	Search        *string // in any part of the key, the event type or the description
}

// isKeyPart tells whether s can be a part of a definition's key. It is asked
// three times for each event, where a regular expression took one part in forty
// of all that publishing costs.
func isKeyPart(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != "" && len(s) <= hark.MaxDefinitionKey
}

// wrongPart tells what isKeyPart wants.
const wrongPart = "a part of a definition's key is 1 to %d letters, digits, dots, dashes and underscores"

func (in *EventDefinitionInput) check() error {
	for _, part := range []struct{ name, value string }{
		{"sourceService", in.SourceService}, {"resourceType", in.ResourceType}, {"operationType", in.OperationType},
	} {
		if !isKeyPart(part.value) {
			return hark.BadInput("input."+part.name, wrongPart, hark.MaxDefinitionKey)
		}
	}
	if in.EventType != nil {
		if err := hark.CheckName("input.eventType", *in.EventType, hark.MaxName); err != nil {
			return err
		}
	}
	if in.Description != nil {
		switch n := utf8.RuneCountInString(*in.Description); {
		case n > maxDescription:
			return hark.BadInput("input.description", "the description has %d characters; at most %d are allowed", n, maxDescription)
		case !utf8.ValidString(*in.Description) || strings.Contains(*in.Description, "\x00"): // PostgreSQL stores neither
			return hark.BadInput("input.description", "the description is not UTF-8, or has a NUL")
		}
	}
	return checkSchema("input.payloadSchema", nullToNone(in.PayloadSchema))
}

// maxDescription is how many characters a description may have.
const maxDescription = 4096

// nullToNone makes no schema of the JSON value null.
func nullToNone(j hark.JSON) hark.JSON {
	if string(j) == "null" {
		return nil
	}
	return j
}

// Create registers a definition; CONFLICT when there is one with that key.
func (d *Definitions) Create(ctx context.Context, in EventDefinitionInput) (*ent.EventDefinition, error) {
	if err := d.authority.RequireGlobal(ctx, hark.ManageEventDefinitions); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	return d.change(ctx, "createEventDefinition", in, func(tx *ent.Tx) (old, def *ent.EventDefinition, err error) {
		now := hark.Now()
		def, err = tx.EventDefinition.Create().SetCreatedAt(now).SetUpdatedAt(now).
			SetSourceService(in.SourceService).SetResourceType(in.ResourceType).SetOperationType(in.OperationType).
			SetNillableEventType(in.EventType).SetNillableDescription(in.Description).
			SetPayloadSchema(nullToNone(in.PayloadSchema)).Save(ctx)
		return nil, def, err
	})
}

// Update replaces all of a definition. Events that were published keep the key they had.
func (d *Definitions) Update(ctx context.Context, id hark.ID, in EventDefinitionInput) (*ent.EventDefinition, error) {
	if err := d.authority.RequireGlobal(ctx, hark.ManageEventDefinitions); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	return d.change(ctx, "updateEventDefinition", in, func(tx *ent.Tx) (old, def *ent.EventDefinition, err error) {
		if old, err = tx.EventDefinition.Get(ctx, id); err != nil {
			return nil, nil, err
		}
		u := tx.EventDefinition.UpdateOneID(id).Where(eventdefinition.DeletedAt(0)).
			SetSourceService(in.SourceService).SetResourceType(in.ResourceType).SetOperationType(in.OperationType).
			SetPayloadSchema(nullToNone(in.PayloadSchema))
		// Clear and Set of one column are two assignments, which PostgreSQL refuses.
		if in.EventType != nil {
			u.SetEventType(*in.EventType)
		} else {
			u.ClearEventType()
		}
		if in.Description != nil {
			u.SetDescription(*in.Description)
		} else {
			u.ClearDescription()
		}
		def, err = u.Save(ctx)
		return old, def, err
	})
}

// Delete removes a definition; CONFLICT while a subscription refers to it.
// Events of its kind stay as long as they are retained.
func (d *Definitions) Delete(ctx context.Context, id hark.ID) error {
	if err := d.authority.RequireGlobal(ctx, hark.ManageEventDefinitions); err != nil {
		return err
	}
	_, err := d.change(ctx, "deleteEventDefinition", EventDefinitionInput{}, func(tx *ent.Tx) (old, def *ent.EventDefinition, err error) {
		// The change comes first: it waits for those that begin to refer to the
		// definition just now, and those that come later find none.
		old, err = tx.EventDefinition.UpdateOneID(id).Where(eventdefinition.DeletedAt(0)).SetDeletedAt(hark.Now()).Save(ctx)
		if err != nil {
			return nil, nil, err
		}
		n, err := tx.EventSubscription.Query().Where(eventsubscription.HasEventDefinitionsWith(eventdefinition.ID(id))).Count(ctx)
		if err == nil && n > 0 {
			err = hark.Errorf(hark.Conflict, "%d subscriptions refer to the event definition: change or delete them first", n)
		}
		return old, nil, err
	})
	return err
}

// change runs f in a transaction that raises the revision of the definitions,
// and audits what f says was there before and is there now.
// Raising it first makes changes of definitions wait for each other.
func (d *Definitions) change(ctx context.Context, action string, in EventDefinitionInput,
	f func(*ent.Tx) (old, def *ent.EventDefinition, err error),
) (def *ent.EventDefinition, err error) {
	err = d.store.Tx(ctx, func(tx *ent.Tx) error {
		if err := store.RaiseRevision(ctx, tx, store.Definitions); err != nil {
			return err
		}
		var old *ent.EventDefinition
		if old, def, err = f(tx); err != nil {
			return err
		}
		return d.authority.Audit(ctx, tx, action, cmp.Or(def, old).ID.String(), nil, auditedChange{audited(old), audited(def)})
	})
	if ent.IsNotFound(err) {
		return nil, hark.Errorf(hark.NotFound, "no such event definition")
	}
	if ent.IsConstraintError(err) {
		kind := hark.Kind{SourceService: in.SourceService, ResourceType: in.ResourceType, OperationType: in.OperationType}
		return nil, &hark.Error{Code: hark.Conflict, Field: "input", Message: "an event definition " + kind.String() + " exists already", Err: err}
	}
	return def, err
}

// Get finds a definition that is not deleted.
func (d *Definitions) Get(ctx context.Context, id hark.ID) (*ent.EventDefinition, error) {
	if err := d.authority.RequireSome(ctx, hark.ReadEventDefinitions); err != nil {
		return nil, err
	}
	def, err := d.store.Ent().EventDefinition.Query().Where(eventdefinition.ID(id), eventdefinition.DeletedAt(0)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, hark.Errorf(hark.NotFound, "no such event definition")
	}
	return def, err
}

// List lists definitions, newest first.
func (d *Definitions) List(ctx context.Context, f *EventDefinitionFilter, first *int, after *string) (list page.List[*ent.EventDefinition], err error) {
	if err := d.authority.RequireSome(ctx, hark.ReadEventDefinitions); err != nil {
		return list, err
	}
	limit, behind, err := page.Args(first, after)
	if err != nil {
		return list, err
	}
	q := d.store.Ent().EventDefinition.Query().Where(eventdefinition.DeletedAt(0))
	if f != nil {
		f.apply(q)
	}
	list.Count = q.Clone().Count
	if !behind.IsZero() {
		q.Where(eventdefinition.IDLT(behind))
	}
	defs, err := q.Order(eventdefinition.ByID(sql.OrderDesc())).Limit(limit + 1).All(ctx)
	if err != nil {
		return list, err
	}
	list.Items, list.More = page.Cut(defs, limit)
	return list, nil
}

func (f *EventDefinitionFilter) apply(q *ent.EventDefinitionQuery) {
	if f.SourceService != nil {
		q.Where(eventdefinition.SourceService(*f.SourceService))
	}
	if f.ResourceType != nil {
		q.Where(eventdefinition.ResourceType(*f.ResourceType))
	}
	if f.OperationType != nil {
		q.Where(eventdefinition.OperationType(*f.OperationType))
	}
	if f.EventType != nil {
		q.Where(eventdefinition.EventType(*f.EventType))
	}
	if f.Search != nil {
		s := *f.Search
		q.Where(eventdefinition.Or(
			eventdefinition.SourceServiceContainsFold(s), eventdefinition.ResourceTypeContainsFold(s), eventdefinition.OperationTypeContainsFold(s),
			eventdefinition.EventTypeContainsFold(s), eventdefinition.DescriptionContainsFold(s)))
	}
}
