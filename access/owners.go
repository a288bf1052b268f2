package access

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/identity"
	"github.com/hark-events/hark/ent/rolegrant"
)

// ownersBatch is how many identities one query reads the grants of.
const ownersBatch = 1000

// Standing is a number that grows whenever roles, grants or identities have
// changed, on whichever node, within a second: what was asked of Owners at
// another number is to be asked again.
func (a *Access) Standing(ctx context.Context) (int64, error) {
	if generation := a.cache.generation.Load(); a.cache.usable(generation, time.Time{}) {
		return generation, nil
	}
	if err := a.poll(ctx); err != nil {
		return 0, err
	}
	return a.cache.generation.Load(), nil
}

// Owners gives the rules of identities in a project, as their grants are now,
// with the roles that an identity provider said last.
// One that does not exist has empty rules.
func (a *Access) Owners(ctx context.Context, project hark.ID, ids []hark.ID) (map[hark.ID]*Rules, error) {
	held := make(map[hark.ID][]*ent.RoleGrant, len(ids))
	for some := range slices.Chunk(ids, ownersBatch) {
		rows, err := a.store.Ent().RoleGrant.Query().Where(rolegrant.IdentityIDIn(some...)).WithRole().All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the grants of owners: %w", err)
		}
		for _, row := range rows {
			held[row.IdentityID] = append(held[row.IdentityID], row)
		}
	}
	issued, err := a.issuedTo(ctx, ids)
	if err != nil {
		return nil, err
	}
	rules := make(map[hark.ID]*Rules, len(ids))
	for _, id := range ids {
		rules[id] = a.sets.get(rulesIn(append(grantsOf(held[id]), issued[id]...), project))
	}
	return rules, nil
}

// issuedTo gives the grants that an identity provider's last tokens have made.
func (a *Access) issuedTo(ctx context.Context, ids []hark.ID) (map[hark.ID][]hark.Grant, error) {
	issued := make(map[hark.ID][]hark.Grant)
	for some := range slices.Chunk(ids, ownersBatch) {
		rows, err := a.store.Ent().Identity.Query().Where(identity.IDIn(some...), identity.IssuedUntilGT(0)).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the issued roles of owners: %w", err)
		}
		for _, row := range rows {
			if issued[row.ID], err = a.issuedGrants(ctx, row.IssuedRoles); err != nil {
				return nil, err
			}
		}
	}
	return issued, nil
}
