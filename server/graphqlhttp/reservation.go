package graphqlhttp

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/audience"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/socket"
	"github.com/hark-events/hark/stream"
)

// openWithin is how long a reservation waits for its stream.
const openWithin = 30 * time.Second

// reservations are those of this node, by their tokens.
type reservations struct {
	mu   *sync.Mutex
	list map[string]*reservation
}

func newReservations() reservations { return reservations{&sync.Mutex{}, map[string]*reservation{}} }

// find gives the reservation of a token for a caller; anybody who has the token
// may leave out who he is, as an EventSource must.
func (rs reservations) find(token string, v *hark.Viewer) *reservation {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.list[token]
	if r != nil && v != nil && v.IdentityID != r.identity {
		return nil
	}
	return r
}

// A reservation is a stream of many operations, which other requests start and
// stop: graphql-sse in its single connection mode.
type reservation struct {
	*Handler
	token    string
	identity hark.ID
	session  *authority.Session
	cancel   context.CancelFunc
	opened   chan struct{} // closed when response is set
	late     *time.Timer

	mu         sync.Mutex
	response   *socket.Response
	operations map[string]*single
	ended      bool
}

// errNoStream is for what cannot be written any more.
var errNoStream = errors.New("the stream has ended")

// reserve makes a reservation for a caller. It ends when its stream does, when
// the caller's token does, or when no stream comes in 30 s.
func (h *Handler) reserve(ctx context.Context, cancel context.CancelFunc, v *hark.Viewer, seat *audience.Seat) *reservation {
	r := &reservation{
		Handler: h, token: rand.Text(), identity: v.IdentityID, session: authority.NewSession(h.access, v),
		cancel: cancel, opened: make(chan struct{}), operations: map[string]*single{},
	}
	h.reservations.mu.Lock()
	h.reservations.list[r.token] = r
	h.reservations.mu.Unlock()
	seat.OnDrain(func() { r.end(ctx, stream.ErrDraining) })
	context.AfterFunc(ctx, func() {
		r.session.Close()
		h.reservations.mu.Lock()
		delete(h.reservations.list, r.token)
		h.reservations.mu.Unlock()
		seat.Leave()
	})
	r.session.Keep(ctx, func(why error) { r.end(ctx, why) })
	r.late = time.AfterFunc(openWithin, func() { r.end(ctx, errNoStream) })
	return r
}

// open gives the reservation its stream; false if it has one, or has ended.
func (r *reservation) open(s *socket.Response) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.response != nil || !r.late.Stop() {
		return false
	}
	r.response = s
	close(r.opened)
	return true
}

// isOpen tells whether it has its stream.
func (r *reservation) isOpen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.response != nil
}

// add takes a place for an operation.
func (r *reservation) add(o *single) *rejection {
	r.mu.Lock()
	defer r.mu.Unlock()
	most := r.audience.Limits().Operations
	switch {
	case r.ended:
		return notFound()
	case r.operations[o.id] != nil:
		return &rejection{409, hark.Errorf(hark.Conflict, "the stream has an operation of this operationId")}
	case len(r.operations) >= most:
		e, _ := errors.AsType[*hark.Error](r.audience.Meet(audience.Operations, "a stream runs %d operations at once: end one, or reserve another stream", most))
		return &rejection{429, e}
	}
	r.operations[o.id] = o
	return nil
}

// remove takes an operation out, if it is still the one of its id.
func (r *reservation) remove(o *single) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.operations[o.id] == o {
		delete(r.operations, o.id)
	}
}

func (r *reservation) operation(id string) *single {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.operations[id]
}

// end ends the stream: why is the last answer of its operations, unless nobody
// is there or is to be told.
func (r *reservation) end(ctx context.Context, why error) {
	r.mu.Lock()
	response, all := r.response, r.operations
	ended := r.ended
	r.ended, r.operations = true, nil
	r.mu.Unlock()
	if ended {
		return
	}
	for _, o := range all {
		if response == nil || errors.Is(why, errNoStream) || errors.Is(why, stream.ErrDraining) {
			o.stop()
		} else {
			o.following.End(ctx, why)
		}
	}
	r.cancel()
	if response != nil {
		response.Close()
	}
}
