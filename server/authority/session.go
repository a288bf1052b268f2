package authority

import (
	"context"
	"sync"
	"time"

	"github.com/hark-events/hark"
)

// recheckPause is the least time between two looks at a session's authority: a
// storm of changes costs ten looks a second.
const recheckPause = 100 * time.Millisecond

// A Session is the authority of one stream or connection while it lasts.
type Session struct {
	access Access

	mu      sync.Mutex
	viewer  *hark.Viewer
	changed context.Context // ends when viewer is replaced or the session ends
	renew   context.CancelFunc
	err     error // why it ended
}

// NewSession begins a session of v. It does nothing until Run.
func NewSession(a Access, v *hark.Viewer) *Session {
	s := &Session{access: a, viewer: v}
	s.changed, s.renew = context.WithCancel(context.Background())
	return s
}

// Run keeps the viewer up to date until ctx ends, which returns nil, or the
// authority does, which returns why: UNAUTHENTICATED, or the failure to find out.
func (s *Session) Run(ctx context.Context) error {
	for {
		changed, stop := s.access.Watch(s.viewer) // Run alone replaces it
		select {
		case <-ctx.Done():
			stop()
			return nil
		case <-changed:
			stop()
		}
		v, err := s.access.Reauthorize(ctx, s.viewer)
		if ctx.Err() != nil {
			return nil
		}
		s.replace(v, err)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(recheckPause):
		}
	}
}

func (s *Session) replace(v *hark.Viewer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := s.renew
	if err != nil {
		s.err = err
	} else {
		s.viewer = v
		s.changed, s.renew = context.WithCancel(context.Background())
	}
	ended()
}

// Current gives the viewer, and a context that ends when there is another one
// or the authority has ended. The error says why it has.
func (s *Session) Current() (*hark.Viewer, context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewer, s.changed, s.err
}
