package pubsub

import (
	"sync"

	"github.com/hark-events/hark"
)

// changes are projects to be looked at again.
type changes struct {
	*sync.Mutex
	list     map[hark.ID]struct{}
	awaiting chan struct{} // of capacity 1: the list is not empty
}

func newChanges() changes {
	return changes{&sync.Mutex{}, map[hark.ID]struct{}{}, make(chan struct{}, 1)}
}

// add notes projects.
func (c changes) add(projects ...hark.ID) {
	c.Lock()
	for _, p := range projects {
		c.list[p] = struct{}{}
	}
	c.Unlock()
	select {
	case c.awaiting <- struct{}{}:
	default:
	}
}

// take empties the list.
func (c changes) take() (projects []hark.ID) {
	c.Lock()
	defer c.Unlock()
	for p := range c.list {
		projects = append(projects, p)
	}
	clear(c.list)
	return projects
}
