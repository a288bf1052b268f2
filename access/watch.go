package access

import (
	"sync"
	"time"

	"github.com/hark-events/hark"
)

// watches are the live streams that wait for a change.
type watches struct {
	mu  sync.Mutex
	all map[*watch]struct{}
}

type watch struct {
	changed func()
	expiry  *time.Timer // nil: the viewer never expires
}

// Watch tells a live stream when to ask Reauthorize again: changed is called
// once, in a goroutine of its own, within a second after roles, grants or tokens
// have changed, and when v expires. It is called at once when v is no longer
// what its token says, so nothing is missed between authenticating and
// watching. Every Watch must be stopped.
func (a *Access) Watch(v *hark.Viewer, changed func()) (stop func()) {
	w := &watch{changed: changed}
	a.watches.mu.Lock()
	defer a.watches.mu.Unlock()
	if !a.cache.current(v) || expired(v) {
		go changed()
		return func() {}
	}
	if a.watches.all == nil {
		a.watches.all = make(map[*watch]struct{})
	}
	a.watches.all[w] = struct{}{}
	if !v.ExpiresAt.IsZero() {
		w.expiry = time.AfterFunc(time.Until(v.ExpiresAt.Time()), func() { a.watches.end(w, true) })
	}
	return func() { a.watches.end(w, false) }
}

// end takes the watch out; what was out already stays as it is.
func (ws *watches) end(w *watch, tell bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if _, ok := ws.all[w]; !ok {
		return
	}
	delete(ws.all, w)
	if w.expiry != nil {
		w.expiry.Stop()
	}
	if tell {
		go w.changed()
	}
}

// wake ends all watches.
func (ws *watches) wake() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		if w.expiry != nil {
			w.expiry.Stop()
		}
		go w.changed()
	}
	clear(ws.all)
}
