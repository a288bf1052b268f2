package following

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/stream"
)

// A Source opens what a subscription asks for.
type Source interface {
	// Open begins an execution for the caller in ctx, behind a cursor if there is
	// one: shared, to be given to a group; or own, which nobody else can use.
	// Only the beginning ends with ctx.
	Open(ctx context.Context, after string) (shared stream.Execution, own Puller, err error)
}

// A Puller is an execution that waits for its answers by itself.
type Puller interface {
	// Pull gives the next answer, or why there is none; io.EOF: nothing is
	// wrong. What ctx interrupts may be cut.
	Pull(ctx context.Context) (payload []byte, err error)
	Close()
}

// An Out is a transport's end of one subscription. All its methods but Lane and
// Append may wait for the reader, except for TryWrite.
type Out interface {
	stream.Writer

	// Begin is called before the first answer, and again when the subscription
	// has begun anew: with where it begins in its log; zero: it is of none.
	Begin(at hark.Cursor)

	// End is called once, when it is over, with why; io.EOF: nothing is wrong. Not
	// when it was stopped, or its context or session has ended. It is the last call.
	End(ctx context.Context, why error)
}

// A Following is a subscription that runs. It runs for the session's viewer:
// when that changes, it begins anew where it was, so what the caller may see
// holds from there on; when the session ends it is for the transport to Stop.
type Following struct {
	session *authority.Session
	groups  *stream.Groups
	out     Out

	mu     sync.Mutex // held for a write that is not the group's
	member *stream.Member
	joined int         // how often
	at     hark.Cursor // where the last member was
	watch  func()      // stops to wait for another viewer
	cancel func()      // interrupts Run or Once; nil: neither runs
	over   bool
}

// New makes a Following for a session, which brings answers to out. It begins
// with Run or Once.
func New(s *authority.Session, groups *stream.Groups, out Out) *Following {
	return &Following{session: s, groups: groups, out: out}
}

// Once brings one answer, of a query or mutation, and ends.
func (f *Following) Once(ctx context.Context, answer func(context.Context) ([]byte, error)) {
	ctx, ran := f.runs(ctx)
	defer ran()
	v, _, err := f.session.Current()
	if err != nil {
		return
	}
	payload, err := answer(hark.WithViewer(ctx, v))
	if ctx.Err() != nil {
		return
	}
	if err == nil && f.write(f.out.Append(nil, stream.Frame{Payload: payload})) {
		err = io.EOF
	}
	if err != nil {
		f.End(ctx, err)
	}
}

// runs gives a context that ends with what runs until the function is called.
func (f *Following) runs(ctx context.Context) (context.Context, func()) {
	// No child of ctx, which would keep the list that it is put on for as long as
	// the connection lasts: whoever ends ctx stops the subscription.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel = cancel; f.over {
		cancel()
	}
	return ctx, cancel
}

// interrupt ends what runs.
func (f *Following) interrupt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel != nil {
		f.cancel()
	}
}

// Run brings the answers of a subscription behind the cursor after, or live
// without one. It returns when the subscription is over, or needs no goroutine
// any more; ctx is of all that is done for it, until Stop or End.
func (f *Following) Run(ctx context.Context, source Source, after string) {
	now, ran := f.runs(ctx)
	defer ran()
	for again := true; again && now.Err() == nil; {
		v, turn, err := f.session.Current()
		if err != nil {
			return
		}
		shared, own, err := source.Open(hark.WithViewer(now, v), after)
		switch {
		case err != nil:
			if now.Err() == nil {
				f.End(now, err)
			}
			return
		case shared != nil:
			f.join(ctx, source, shared, turn)
			return
		case f.begin(hark.Cursor{}):
			again = f.pull(now, own, turn)
		default:
			again = false
		}
		own.Close()
	}
}

// Stop ends the subscription: nothing is written from then on. It waits for a
// write that is under way, and tells where the subscription was; zero where
// that is not in a log.
func (f *Following) Stop() (at hark.Cursor) {
	f.stop()
	f.interrupt()
	return f.place()
}

// End stops the subscription and tells out why, unless it was over.
func (f *Following) End(ctx context.Context, why error) {
	if f.stop() {
		f.out.End(ctx, why)
		f.interrupt()
	}
}

// stop tells whether it was not over yet.
func (f *Following) stop() bool {
	f.mu.Lock()
	ended := !f.over
	f.over = true
	m := f.take()
	f.mu.Unlock()
	f.leave(m)
	return ended
}

// leave notes where m, if there is one, was.
func (f *Following) leave(m *stream.Member) {
	if m == nil {
		return
	}
	at := m.Leave()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = at
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

// join has the answers brought by the group of all who get the same.
func (f *Following) join(ctx context.Context, source Source, x stream.Execution, viewer int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || ctx.Err() != nil { // which may have cut the beginning short
		x.Close()
		return
	}
	f.cancel = nil // what is left of this run waits for nothing
	f.out.Begin(x.Cursor())
	f.joined++
	turn := f.joined
	f.member = f.groups.Join(x, sink{f.out, func(at hark.Cursor, why error) { go f.ended(ctx, source, turn, at, why) }})
	f.watch = f.session.OnChange(viewer, func() { f.move(ctx, source) })
}

// begin tells of a beginning, unless the subscription is over.
func (f *Following) begin(at hark.Cursor) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.out.Begin(at)
	}
	return !f.over
}

// move begins anew where it is.
func (f *Following) move(ctx context.Context, source Source) {
	f.mu.Lock()
	m := f.take()
	f.mu.Unlock()
	if f.leave(m); m != nil {
		f.Run(ctx, source, f.place().String())
	}
}

// place is where the last member was.
func (f *Following) place() hark.Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// pull brings the answers of x until it is over (false) or the viewer is no
// longer that of a turn (true).
func (f *Following) pull(ctx context.Context, x Puller, viewer int) bool {
	wait, interrupt := context.WithCancel(ctx)
	defer interrupt()
	defer f.session.OnChange(viewer, interrupt)()
	for {
		payload, err := x.Pull(wait)
		switch {
		case ctx.Err() != nil:
			return false
		case wait.Err() != nil:
			return true
		case err != nil:
			f.End(ctx, err)
			return false
		case !f.write(f.out.Append(nil, stream.Frame{Payload: payload})):
			return false
		}
	}
}

func (f *Following) write(b []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.over && f.out.Write(b) == nil
}

// ended takes what the group said at its end that was joined in a turn. A later
// one may have been joined by now.
func (f *Following) ended(ctx context.Context, source Source, turn int, at hark.Cursor, why error) {
	f.mu.Lock()
	if turn != f.joined {
		f.mu.Unlock()
		return
	}
	m := f.take()
	if m != nil {
		f.at = at
	}
	f.mu.Unlock()
	switch {
	case m == nil: // it moves, or is over
	case errors.Is(why, stream.ErrBehind):
		f.Run(ctx, source, at.String())
	default:
		f.End(ctx, why)
	}
}

// A sink is an Out as its group sees it.
type sink struct {
	stream.Writer
	end func(at hark.Cursor, why error)
}

var _ stream.Sink = sink{}

func (s sink) End(at hark.Cursor, why error) { s.end(at, why) }
