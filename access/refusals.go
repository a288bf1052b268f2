package access

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// refusals collects what was refused, to be written in batches: whoever is
// refused often must not fill the database.
type refusals struct {
	mu   sync.Mutex
	all  map[refusal]*refusalCount
	lost int // of those beyond maxRefusals
}

// A refusal is who was refused what, and why.
type refusal struct {
	actor  hark.ID // zero: nobody that is known
	action string  // "login" or "refuse"
	target string  // the client id, or the action that was not allowed
	reason string
	origin hark.Origin
}

type refusalCount struct {
	first   hark.Time
	message string
	count   int
}

// maxRefusals is how many different ones are kept until the next writing.
const maxRefusals = 500

func (rs *refusals) note(r refusal, message string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if c := rs.all[r]; c != nil {
		c.count++
		return
	}
	if len(rs.all) >= maxRefusals {
		rs.lost++
		return
	}
	if rs.all == nil {
		rs.all = make(map[refusal]*refusalCount)
	}
	rs.all[r] = &refusalCount{first: hark.Now(), message: message, count: 1}
}

// NoteRefusal puts a refusal into the audit log, within ten seconds: FORBIDDEN,
// and UNAUTHENTICATED for a token that does not pass. The same refusal of the
// same caller is one entry, with a count, in each such time.
func (a *Access) NoteRefusal(ctx context.Context, e *hark.Error) {
	reason, _ := e.Details["reason"].(string)
	r := refusal{action: "refuse", target: string(e.Code), reason: reason, origin: hark.OriginFrom(ctx)}
	switch {
	case e.Code == hark.Unauthenticated && (reason == "" || reason == wrongCredentials):
		return // nobody came with anything, or Login has told of it
	case e.Code == hark.Forbidden:
		if action, ok := e.Details["action"].(string); ok {
			r.target = action
		}
	}
	if v, err := hark.ViewerFrom(ctx); err == nil {
		r.actor = v.IdentityID
	}
	a.refusals.note(r, e.Message)
}

// flushRefusals writes what was noted.
func (a *Access) flushRefusals(ctx context.Context) error {
	a.refusals.mu.Lock()
	all, lost := a.refusals.all, a.refusals.lost
	a.refusals.all, a.refusals.lost = nil, 0
	a.refusals.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
	if lost > 0 {
		a.log.Warn("refusals are left out of the audit log: there are too many", "count", lost)
	}
	return a.store.Tx(ctx, func(tx *ent.Tx) error {
		for r, c := range all {
			ctx := hark.WithViewer(hark.WithOrigin(ctx, r.origin), &hark.Viewer{IdentityID: r.actor})
			detail := map[string]any{"message": c.message, "count": c.count, "first": c.first}
			if r.reason != "" {
				detail["reason"] = r.reason
			}
			if err := Audit(ctx, tx, r.action, strings.ToValidUTF8(r.target, "\uFFFD"), nil, detail); err != nil {
				return fmt.Errorf("audit refusals: %w", err)
			}
		}
		return nil
	})
}
