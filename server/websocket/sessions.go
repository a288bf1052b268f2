package websocket

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hark-events/hark"
)

// resumable is for how long the positions of a lost connection are kept.
const resumable = 5 * time.Minute

// positions are the cursors that operations are to go on behind, by their ids.
type positions map[string]string

// Notes are what one node leaves for any other, for a while. *pubsub.Redis has them.
type Notes interface {
	PutNote(ctx context.Context, name string, note []byte, stays time.Duration) error
	// Note gives a note; nil: there is none.
	Note(ctx context.Context, name string) ([]byte, error)
	DropNote(ctx context.Context, name string) error
}

// A lost is what is kept of a connection that ended. What was on its way then the
// client may have or not: At is right if it has all of it, Begin if it has nothing.
type lost struct {
	Identity hark.ID
	At       positions // behind what was written
	Begin    positions // of the operations
	Until    time.Time
}

// sessions remember where the operations of connections were, for clients that
// lost one and start the same operations again.
type sessions struct {
	notes Notes // nil: there are no other nodes

	mu   sync.Mutex
	live map[string]*conn
	lost *lru.Cache[string, lost] // where notes cannot be left
}

// newSessions remembers at most as many lost connections as there may be open ones.
func newSessions(most int, n Notes) *sessions {
	cache, _ := lru.New[string, lost](max(most, 1)) // fails for a size below 1 only
	return &sessions{notes: n, live: map[string]*conn{}, lost: cache}
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
func (s *sessions) end(ctx context.Context, c *conn, at positions) {
	s.mu.Lock()
	name := c.name
	s.mu.Unlock()
	l := lost{c.identity(), at, c.begins, time.Now().Add(resumable)}
	there := name == "" || len(at) == 0 || s.put(ctx, name, l)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(c.stopped)
	delete(s.live, c.name)
	if !there {
		s.lost.Add(name, l)
	}
}

// put leaves a note for all nodes; false: there is no place for one.
func (s *sessions) put(ctx context.Context, name string, l lost) bool {
	if s.notes == nil {
		return false
	}
	note, _ := json.Marshal(l) // texts
	return s.notes.PutNote(ctx, name, note, resumable) == nil
}

// of gives what is kept of an identity's session; zero: nothing is. A connection
// that the client has lost and hark has not is ended first.
func (s *sessions) of(ctx context.Context, id string, identity hark.ID) (l lost) {
	s.mu.Lock()
	c := s.live[id]
	s.mu.Unlock()
	if c != nil && c.identity() == identity {
		c.end(&closing{reason: "the client has another connection"})
		select {
		case <-c.stopped:
		case <-ctx.Done():
			return l
		}
	}
	if l = s.find(ctx, id); l.Identity != identity || time.Now().After(l.Until) {
		return lost{}
	}
	return l
}

// find reads what is kept of a session; zero: nothing is.
func (s *sessions) find(ctx context.Context, id string) (l lost) {
	s.mu.Lock()
	l, here := s.lost.Peek(id)
	s.mu.Unlock()
	if here || s.notes == nil {
		return l
	}
	if note, err := s.notes.Note(ctx, id); err == nil && note != nil {
		_ = json.Unmarshal(note, &l) // what is no note is none
	}
	return l
}

// drop forgets a session: its client has another one.
func (s *sessions) drop(ctx context.Context, id string) {
	s.mu.Lock()
	s.lost.Remove(id)
	s.mu.Unlock()
	if s.notes != nil {
		_ = s.notes.DropNote(ctx, id) // it goes by itself
	}
}
