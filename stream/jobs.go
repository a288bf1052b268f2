package stream

import (
	"context"
	"sync"
)

// jobs are the rooms' queries of the database, on their way to Hub.Run, whose
// context they run in.
type jobs struct {
	added chan struct{} // of capacity 1: list is not empty

	mu   sync.Mutex
	list []func(context.Context)
}

func (j *jobs) add(f func(context.Context)) {
	j.mu.Lock()
	j.list = append(j.list, f)
	j.mu.Unlock()
	select {
	case j.added <- struct{}{}:
	default:
	}
}

func (j *jobs) take() []func(context.Context) {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := j.list
	j.list = nil
	return list
}
