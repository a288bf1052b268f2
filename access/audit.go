package access

import (
	"context"
	"encoding/json"
	"fmt"

	"entgo.io/ent/dialect/sql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/auditentry"
	"github.com/hark-events/hark/internal/page"
)

// A Change is the detail of an audit entry about what was there before.
type Change struct {
	Before any `json:"before"`
	After  any `json:"after"`
}

// Audit records, in the transaction of a change, who made it, and from where:
// the caller, or the system where there is none. The action is the mutation's name, target the
// id of what changed, project nil for what belongs to none, and detail anything
// that marshals to JSON without a secret, or nil.
func Audit(ctx context.Context, tx *ent.Tx, action, target string, project *hark.ID, detail any) error {
	origin := hark.OriginFrom(ctx)
	create := tx.AuditEntry.Create().SetAction(action).SetTarget(target).SetNillableProjectID(project).
		SetAddress(origin.Address).SetUserAgent(origin.UserAgent)
	if v, err := hark.ViewerFrom(ctx); err == nil && !v.IdentityID.IsZero() {
		create.SetActorID(v.IdentityID)
	}
	if detail != nil {
		b, err := json.Marshal(detail)
		if err != nil {
			return fmt.Errorf("audit %s: %w", action, err)
		}
		create.SetDetail(b)
	}
	if err := create.Exec(ctx); err != nil {
		return fmt.Errorf("audit %s: %w", action, err)
	}
	return nil
}

// AuditLog lists who changed what, newest first: of one project, or of all in
// which the caller has READ_AUDIT_LOG. What belongs to no project is shown to
// those who have it in all projects.
func (a *Access) AuditLog(ctx context.Context, project *hark.ID, first *int, after *string) (page.List[*ent.AuditEntry], error) {
	var list page.List[*ent.AuditEntry]
	limit, behind, err := page.Args(first, after)
	if err != nil {
		return list, err
	}
	q := a.store.Ent().AuditEntry.Query()
	if project != nil {
		if _, _, err := a.Require(ctx, hark.ReadAuditLog, *project); err != nil {
			return list, err
		}
		q.Where(auditentry.ProjectID(*project))
	} else {
		v, _, err := a.RequireGlobal(ctx, hark.ReadAuditLog)
		if err != nil {
			return list, err
		}
		switch all, ids := a.Projects(v, hark.ReadAuditLog); {
		case !all:
			q.Where(auditentry.ProjectIDIn(ids...))
		case len(ids) > 0:
			q.Where(auditentry.Or(auditentry.ProjectIDIsNil(), auditentry.ProjectIDNotIn(ids...)))
		}
	}
	list.Count = q.Clone().Count
	if !behind.IsZero() {
		q.Where(auditentry.IDLT(behind))
	}
	rows, err := q.Order(auditentry.ByID(descending())).Limit(limit + 1).All(ctx)
	if err != nil {
		return list, fmt.Errorf("list audit entries: %w", err)
	}
	list.Items, list.More = page.Cut(rows, limit)
	return list, nil
}

// descending orders by id, newest first.
func descending() sql.OrderTermOption { return sql.OrderDesc() }

// deleteOldAudit forgets entries that are older than AuditRetention. Ids are in
// the order of time, so the oldest come first.
func (a *Access) deleteOldAudit(ctx context.Context) error {
	cutoff := hark.Now().Add(-a.conf.AuditRetention)
	for {
		rows, err := a.store.Ent().AuditEntry.Query().Order(auditentry.ByID()).Limit(sweepBatch).
			Select(auditentry.FieldID, auditentry.FieldAt).All(ctx)
		if err != nil {
			return err
		}
		var ids []hark.ID
		for _, row := range rows {
			if row.At < cutoff {
				ids = append(ids, row.ID)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		if _, err := a.store.Ent().AuditEntry.Delete().Where(auditentry.IDIn(ids...)).Exec(ctx); err != nil {
			return err
		}
	}
}
