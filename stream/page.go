package stream

import "github.com/hark-events/hark"

// pageEvents is the length of a page. Readers that are behind share the pages
// of a room, so that a thousand that come back at once read the database once.
const pageEvents = 128

// idleSweeps is how many sweeps, one a second, a page survives that nobody uses.
const idleSweeps = 10

// A page is a stretch of the log behind the ring, from the database: page k is
// within the sequences 128k+1 to 128k+128.
type page struct {
	events  []*hark.Event // without gap; empty: not read yet
	bytes   int
	used    uint64 // pages.clock when it was last used
	sweep   uint64 // pages.sweeps at that moment
	loading bool
	waiting lot // readers that wait for it
}

// pages are the pages of a room, the most recently used ones within maxBytes.
// The room's mutex guards them.
type pages struct {
	byKey    map[int64]*page
	bytes    int
	maxBytes int
	clock    uint64
	sweeps   uint64
}

func pageKey(sequence int64) int64 { return (sequence - 1) / pageEvents }

func (s *pages) at(sequence int64) *hark.Event {
	p := s.byKey[pageKey(sequence)]
	if p == nil || len(p.events) == 0 {
		return nil
	}
	i := sequence - p.events[0].Sequence
	if i < 0 || i >= int64(len(p.events)) {
		return nil
	}
	s.clock++
	p.used, p.sweep = s.clock, s.sweeps
	return p.events[i]
}

// waiting takes who waits for the page of sequence.
func (s *pages) waiting(sequence int64) []*Reader {
	if p := s.byKey[pageKey(sequence)]; p != nil {
		return p.waiting.take()
	}
	return nil
}

// all takes whoever waits for any page.
func (s *pages) all() (list []*Reader) {
	for _, p := range s.byKey {
		list = append(list, p.waiting.take()...)
	}
	return list
}

// keep makes events the content of page key; none drops it.
func (s *pages) keep(key int64, events []*hark.Event) {
	p := s.byKey[key]
	s.bytes -= p.bytes
	p.events, p.bytes = events, 0
	if len(events) == 0 {
		delete(s.byKey, key)
		return
	}
	for _, e := range events {
		p.bytes += eventBytes(e)
	}
	s.bytes += p.bytes
	s.clock++
	p.used, p.sweep = s.clock, s.sweeps
	for s.bytes > s.maxBytes && s.evict(p) {
	}
}

// evict drops the page that was used least recently, but not spared.
func (s *pages) evict(spared *page) bool {
	oldest := int64(-1)
	for key, p := range s.byKey {
		if p != spared && p.bytes > 0 && !p.loading && (oldest < 0 || p.used < s.byKey[oldest].used) {
			oldest = key
		}
	}
	if oldest >= 0 {
		s.keep(oldest, nil)
	}
	return oldest >= 0
}

// sweep drops what nobody has used for a while.
func (s *pages) sweep() {
	s.sweeps++
	for key, p := range s.byKey {
		if !p.loading && s.sweeps-p.sweep > idleSweeps {
			s.keep(key, nil)
		}
	}
}
