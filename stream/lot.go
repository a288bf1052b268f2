package stream

// A lot is where readers are parked until something happens. A reader is in at
// most one. The room's mutex guards it.
type lot struct {
	readers []*Reader
	spare   []*Reader
}

func (l *lot) add(r *Reader) {
	r.lot, r.slot = l, len(l.readers)
	l.readers = append(l.readers, r)
}

func (l *lot) remove(r *Reader) {
	last := len(l.readers) - 1
	moved := l.readers[last]
	l.readers[r.slot], moved.slot = moved, r.slot
	l.readers[last] = nil
	l.readers = l.readers[:last]
	r.lot = nil
}

// take empties the lot. The taker wakes the readers without the mutex, and may
// give the list back.
func (l *lot) take() []*Reader {
	list := l.readers
	for _, r := range list {
		r.lot = nil
	}
	l.readers, l.spare = l.spare, nil
	return list
}

// give lets the lot use a list again that was taken from it.
func (l *lot) give(list []*Reader) {
	clear(list)
	if l.spare == nil {
		l.spare = list[:0]
	}
}

func wake(readers []*Reader) {
	for _, r := range readers {
		r.wake()
	}
}
