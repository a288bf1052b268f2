package main

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/store"
)

// keyAudit puts what is done with keys into the audit log. The target of an
// entry is the id of the key that seals from then on.
type keyAudit struct{ store *store.Store }

// byCommand makes entries of the audit log tell which command wrote them.
func byCommand(ctx context.Context, name string) context.Context {
	return hark.WithOrigin(ctx, hark.Origin{UserAgent: name})
}

// rotated tells of the ids of the keys that there were and are, the sealing one first.
func (a keyAudit) rotated(ctx context.Context, before, after []string) error {
	return a.write(ctx, "rotateKeys", after[0], access.Change{Before: map[string]any{"keys": before}, After: map[string]any{"keys": after}})
}

// sealed tells that values are sealed anew, by the command line or a node.
func (a keyAudit) sealed(ctx context.Context, key string, values int) error {
	return a.write(ctx, "sealAnew", key, map[string]any{"values": values})
}

func (a keyAudit) write(ctx context.Context, action, key string, detail any) error {
	return a.store.Tx(ctx, func(tx *ent.Tx) error { return access.Audit(ctx, tx, action, key, nil, detail) })
}
