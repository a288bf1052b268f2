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

// A Session is the authority of one stream or connection while it lasts. It
// has a goroutine only while it looks for a change.
type Session struct {
	access Access

	mu      sync.Mutex
	viewer  *hark.Viewer
	changed context.Context // ends when viewer is replaced or the session ends
	renew   context.CancelFunc
	stop    func() // watching
	err     error  // why it ended
}

// NewSession begins a session of v. It does nothing until Keep.
func NewSession(a Access, v *hark.Viewer) *Session {
	s := &Session{access: a, viewer: v, stop: func() {}}
	s.changed, s.renew = context.WithCancel(context.Background())
	return s
}

// Keep keeps the viewer up to date until ctx ends, or the authority does: then
// ended is called once with why, UNAUTHENTICATED or the failure to find out.
func (s *Session) Keep(ctx context.Context, ended func(error)) {
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stop()
	})
	s.watch(ctx, ended)
}

// watch waits for the next change.
func (s *Session) watch(ctx context.Context, ended func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.stop = s.access.Watch(s.viewer, func() { s.look(ctx, ended) })
	}
}

// look finds out what has changed.
func (s *Session) look(ctx context.Context, ended func(error)) {
	s.mu.Lock()
	s.stop() // it is over
	viewer := s.viewer
	s.mu.Unlock()
	v, err := s.access.Reauthorize(ctx, viewer)
	if ctx.Err() != nil {
		return
	}
	s.replace(v, err)
	if err != nil {
		ended(err)
		return
	}
	time.AfterFunc(recheckPause, func() { s.watch(ctx, ended) })
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

// Admit counts a request that is made in the session; RATE_LIMITED.
func (s *Session) Admit(ctx context.Context) error {
	v, _, err := s.Current()
	if err != nil {
		return err
	}
	return s.access.Admit(ctx, v)
}

// Current gives the viewer, and a context that ends when there is another one
// or the authority has ended. The error says why it has.
func (s *Session) Current() (*hark.Viewer, context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewer, s.changed, s.err
}
