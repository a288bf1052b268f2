package websocket

import (
	"context"
	"time"

	"github.com/hark-events/hark"
)

// lookEvery is how long a subscription that ended may keep its connection.
const lookEvery = time.Second

// Orders tell which subscriptions there are. *store.Store has them.
type Orders interface {
	// Versions gives the versions of projects: each change of one of its
	// subscriptions raises a project's.
	Versions(ctx context.Context, projects []hark.ID) (map[hark.ID]int64, error)

	// Standing gives the versions of those subscriptions of ids that are active.
	Standing(ctx context.Context, ids []hark.ID) (map[hark.ID]int64, error)
}

// Run hangs up on subscriptions that are paused, disabled, changed or deleted,
// on whichever node that was done, within some seconds. It ends with ctx and
// leaves the other connections open, for Close.
func (dr *Driver) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := dr.look(ctx); err != nil && ctx.Err() == nil {
			dr.log.WarnContext(ctx, "which WebSockets to keep is not known", "err", err)
		}
	}
}

// look hangs up where that is due. Only the subscriptions of projects in which
// something changed are asked for.
func (dr *Driver) look(ctx context.Context) error {
	links := dr.open()
	projects := make(map[hark.ID]bool)
	for _, l := range links {
		projects[l.sub.ProjectID] = true
	}
	if len(projects) == 0 {
		return nil
	}
	versions, err := dr.orders.Versions(ctx, keys(projects))
	if err != nil {
		return err
	}
	ask := make(map[hark.ID]*link)
	for _, l := range links {
		if l.standing != versions[l.sub.ProjectID] {
			ask[l.sub.ID] = l
		}
	}
	if len(ask) == 0 {
		return nil
	}
	standing, err := dr.orders.Standing(ctx, keys(ask))
	if err != nil {
		return err
	}
	for id, l := range ask {
		switch version, ok := standing[id]; {
		case !ok:
			dr.drop(l, "the subscription was paused, disabled or deleted")
		case version > l.sub.Version:
			dr.drop(l, "the subscription was changed")
		default:
			l.standing = versions[l.sub.ProjectID]
		}
	}
	return nil
}

// open lists the links that there are.
func (dr *Driver) open() []*link {
	dr.mu.Lock()
	defer dr.mu.Unlock()
	links := make([]*link, 0, len(dr.links))
	for _, l := range dr.links {
		links = append(links, l)
	}
	return links
}

// drop hangs up, unless the link was replaced meanwhile.
func (dr *Driver) drop(l *link, reason string) {
	dr.mu.Lock()
	if dr.links[l.sub.ID] == l {
		delete(dr.links, l.sub.ID)
	}
	dr.mu.Unlock()
	l.hangUp(reason)
}

func keys[V any](m map[hark.ID]V) []hark.ID {
	list := make([]hark.ID, 0, len(m))
	for id := range m {
		list = append(list, id)
	}
	return list
}
