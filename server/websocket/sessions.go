package websocket

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hark-events/hark"
)

// resumable is for how long the positions of a lost connection are kept.
const resumable = 5 * time.Minute

// positions are the cursors that operations are to go on behind, by their ids.
type positions map[string]string

// A lost is what is kept of a connection that ended.
type lost struct {
	identity hark.ID
	at       positions
	until    time.Time
}

// sessions remember where the operations of this node's connections were, for
// clients that lost one and start the same operations again.
type sessions struct {
	mu   sync.Mutex
	live map[string]*conn
	lost *lru.Cache[string, lost]
}

// newSessions remembers at most as many lost connections as there may be open ones.
func newSessions(most int) *sessions {
	cache, _ := lru.New[string, lost](max(most, 1)) // fails for a size below 1 only
	return &sessions{live: map[string]*conn{}, lost: cache}
}

// begin gives a connection its session.
func (s *sessions) begin(c *conn) (id string) {
	id = rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-c.stopped: // it has ended meanwhile
	default:
		s.live[id], c.name = c, id
	}
	return id
}

// end notes that a connection has ended, where its operations were.
func (s *sessions) end(c *conn, at positions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(c.stopped)
	if c.name == "" {
		return
	}
	delete(s.live, c.name)
	if len(at) > 0 {
		s.lost.Add(c.name, lost{c.identity(), at, time.Now().Add(resumable)})
	}
}

// take gives the positions of an identity's session, once. A connection that
// the client has lost and hark has not is ended first.
func (s *sessions) take(ctx context.Context, id string, identity hark.ID) positions {
	s.mu.Lock()
	c := s.live[id]
	s.mu.Unlock()
	if c != nil && c.identity() == identity {
		c.end(&closing{reason: "the client has another connection"})
		select {
		case <-c.stopped:
		case <-ctx.Done():
			return nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.lost.Peek(id)
	if !ok || l.identity != identity || time.Now().After(l.until) {
		return nil
	}
	s.lost.Remove(id)
	return l.at
}
