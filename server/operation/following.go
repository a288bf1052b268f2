package operation

import (
	"context"
	"errors"
	"sync"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/stream"
)

// An Out is a transport's end of one subscription. Its methods but Lane and
// Append may wait for the reader, except for TryWrite; all are as in stream.Sink.
type Out interface {
	Lane() string
	Append(b []byte, f stream.Frame) []byte
	TryWrite(b []byte) error
	Flush() error
	Write(b []byte) error

	// Begin is called once, before the first answer, with where the stream of a
	// log begins; zero: it is of no log.
	Begin(at hark.Cursor)

	// End is called once, when the subscription is over: with its last answer,
	// or nil where nothing is wrong. Not when its context or session has ended.
	End(last *Answer)
}

// A Following is a subscription that runs. It runs for the session's viewer:
// when that changes, it begins anew where it was, so what the caller may see
// holds from there on; when the session ends it is for the transport to Stop.
type Following struct {
	op      *Operation
	session *authority.Session
	groups  *stream.Groups
	out     Out
	ctx     context.Context // of all that is done for it
	cancel  context.CancelFunc

	mu     sync.Mutex // held for a write that is not the group's
	member *stream.Member
	watch  func() bool // stops to wait for another viewer
	begun  bool
	over   bool
}

// Follow prepares to bring the subscription's answers to out. It begins with Run.
func (o *Operation) Follow(ctx context.Context, s *authority.Session, groups *stream.Groups, out Out) *Following {
	f := &Following{op: o, session: s, groups: groups, out: out}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// Run returns when the subscription is over, or needs no goroutine any more.
func (f *Following) Run() { f.run(f.op.after) }

// Stop ends the subscription: nothing is written from then on. It waits for a
// write that is under way, and tells whether the subscription was not over yet.
func (f *Following) Stop() bool {
	f.cancel()
	f.mu.Lock()
	ended := !f.over
	f.over = true
	m := f.take()
	f.mu.Unlock()
	if m != nil {
		m.Leave()
	}
	return ended
}

// take takes the membership out. It is called with the mutex held.
func (f *Following) take() *stream.Member {
	m := f.member
	f.member = nil
	if f.watch != nil {
		f.watch()
	}
	return m
}

// run begins the subscription for the session's viewer, behind a cursor if
// there is one.
func (f *Following) run(after string) {
	for again := true; again && f.ctx.Err() == nil; {
		v, changed, err := f.session.Current()
		if err != nil {
			return
		}
		x := f.op.open(f.ctx, v, after)
		if f.ctx.Err() != nil { // it may have cut the beginning short
			x.Close()
			return
		}
		if x.Bound() {
			f.join(x, changed)
			return
		}
		if again = f.open(); again {
			again = f.pull(x, changed)
		}
		x.Close()
	}
}

// join has the answers brought by the group of all who get the same.
func (f *Following) join(x *execution, changed context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		x.Close()
		return
	}
	f.begin(x.Cursor())
	f.member = f.groups.Join(x, sink{f})
	f.watch = context.AfterFunc(changed, f.move)
}

// open says that a stream of no log is open.
func (f *Following) open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.begin(hark.Cursor{})
	}
	return !f.over
}

// begin is called with the mutex held.
func (f *Following) begin(at hark.Cursor) {
	if !f.begun {
		f.begun = true
		f.out.Begin(at)
	}
}

// move begins anew where it is.
func (f *Following) move() {
	f.mu.Lock()
	m := f.take()
	f.mu.Unlock()
	if m != nil {
		f.run(m.Leave().String())
	}
}

// pull executes a subscription that has no feed until it is over (false) or
// changed ends (true). Here gqlgen both waits and executes, so what is
// interrupted may be cut.
func (f *Following) pull(x *execution, changed context.Context) bool {
	wait, interrupt := context.WithCancel(x.ctx)
	defer interrupt()
	defer context.AfterFunc(changed, interrupt)()
	defer context.AfterFunc(f.ctx, interrupt)()
	for {
		r := x.pull(wait, x.next)
		switch {
		case f.ctx.Err() != nil:
			return false
		case wait.Err() != nil:
			return true
		case r == nil:
			f.end(nil)
			return false
		}
		a := encodeAnswer(r, "", nil)
		if a.Refused != nil {
			f.end(&a)
			return false
		}
		if !f.write(f.out.Append(nil, stream.Frame{Payload: a.Payload})) {
			return false
		}
	}
}

func (f *Following) write(b []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return false
	}
	return f.out.Write(b) == nil
}

func (f *Following) end(last *Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.over = true
		f.out.End(last)
	}
}

// ended takes what the group said at its end.
func (f *Following) ended(at hark.Cursor, why error) {
	f.mu.Lock()
	m := f.take()
	f.mu.Unlock()
	switch {
	case m == nil: // it moves, or is over
	case errors.Is(why, stream.ErrBehind):
		f.run(at.String())
	case errors.Is(why, stream.ErrDraining):
		f.end(&Answer{Draining: true})
	default:
		r, ok := errors.AsType[refused](why)
		last := r.Answer
		if !ok {
			last = f.op.executor.Refuse(f.ctx, why)
		}
		f.end(&last)
	}
}

// sink is a Following as its group sees it.
type sink struct{ *Following }

var _ stream.Sink = sink{}

func (s sink) Lane() string                           { return s.out.Lane() }
func (s sink) Append(b []byte, f stream.Frame) []byte { return s.out.Append(b, f) }
func (s sink) TryWrite(b []byte) error                { return s.out.TryWrite(b) }
func (s sink) Flush() error                           { return s.out.Flush() }
func (s sink) Write(b []byte) error                   { return s.out.Write(b) }
func (s sink) End(at hark.Cursor, why error)          { go s.ended(at, why) }
