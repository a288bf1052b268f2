package authority

import (
	"context"
	"slices"
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
	turn    int       // of viewer
	changes []*change // waited for
	stop    func()    // watching; nil: nobody watches
	closed  bool
	err     error // why the authority ended
}

// A change is what somebody waits for. It is a pointer to be told apart.
type change struct{ call func() }

// NewSession begins a session of v. It does nothing until Keep.
func NewSession(a Access, v *hark.Viewer) *Session { return &Session{access: a, viewer: v} }

// Keep keeps the viewer up to date until Close, or until the authority ends: then
// ended is called once with why, UNAUTHENTICATED or the failure to find out.
func (s *Session) Keep(ctx context.Context, ended func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.stop = s.access.Watch(s.viewer, func() { s.look(ctx, ended) })
	}
}

// Close ends the session: nothing is called any more.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.changes = true, nil
	if s.stop != nil {
		s.stop()
	}
}

// look finds out what has changed.
func (s *Session) look(ctx context.Context, ended func(error)) {
	s.mu.Lock()
	viewer := s.viewer
	s.mu.Unlock()
	v, err := s.access.Reauthorize(ctx, viewer)
	if ctx.Err() != nil || !s.replace(v, err) {
		return
	}
	if err != nil {
		ended(err)
		return
	}
	time.AfterFunc(recheckPause, func() { s.Keep(ctx, ended) })
}

// replace notes what has been found out; false: nobody cares any more.
func (s *Session) replace(v *hark.Viewer, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.stop() // the watch is over
	if err != nil {
		s.err = err
	} else {
		s.viewer = v
	}
	s.turn++
	for _, c := range s.changes {
		go c.call()
	}
	s.changes = nil
	return true
}

// OnChange has changed called once, in a goroutine of its own, when the viewer
// is no longer that of a turn, or the authority has ended. stop takes it back.
func (s *Session) OnChange(turn int, changed func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turn != s.turn {
		go changed()
		return func() {}
	}
	c := &change{changed}
	s.changes = append(s.changes, c)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if at := slices.Index(s.changes, c); at >= 0 {
			s.changes = slices.Delete(s.changes, at, at+1)
		}
	}
}

// Admit counts a request that is made in the session; RATE_LIMITED.
func (s *Session) Admit(ctx context.Context) error {
	v, _, err := s.Current()
	if err != nil {
		return err
	}
	return s.access.Admit(ctx, v)
}

// Current gives the viewer, and which turn it is. The error says why the
// authority has ended.
func (s *Session) Current() (v *hark.Viewer, turn int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewer, s.turn, s.err
}
