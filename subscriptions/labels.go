package subscriptions

import (
	"context"
	"maps"
	"sync"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// Labels are the subscriptions that were paused or resumed on this node since
// the marks of what they have waiting were looked at.
type labels struct {
	mu       sync.Mutex
	versions map[hark.ID]int64
}

func (l *labels) add(row *ent.EventSubscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.versions == nil {
		l.versions = map[hark.ID]int64{}
	}
	l.versions[row.ID] = row.Version
}

// label brings the marks of what waits up to date. What a node that ends leaves
// undone misleads people alone, until its turn comes.
func (s *Service) label(ctx context.Context) error {
	s.labels.mu.Lock()
	versions := maps.Clone(s.labels.versions)
	clear(s.labels.versions)
	s.labels.mu.Unlock()
	for id, version := range versions {
		if err := s.store.Label(ctx, id, version); err != nil {
			return err
		}
	}
	return nil
}
