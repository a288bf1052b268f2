package stream

import (
	"sync"
	"time"
)

const (
	// A cycle that took as long as longCycle or longer, and in which somebody wrote
	// as many answers as manyAnswers or more, is followed by a rest of the same
	// length, at most maxRest: events come faster than they go out, and what is
	// published meanwhile goes to each reader in one write, which costs a tenth of
	// ten. With fewer answers, a rest would only make the next one late.
	longCycle   = time.Millisecond
	manyAnswers = 3
	maxRest     = 5 * time.Millisecond

	// maxWait is how long a group waits for the others at most; ten thousand writes
	// are done by then.
	maxWait = 200 * time.Millisecond
)

// A cycle is a time in which groups of a project have something to write, and
// each of them has one round: all read, then all write, then they may rest
// together, however many they are. So what goes out goes out in one go, and many
// events in one write: writes one by one, to readers that fall asleep in between,
// cost more than twice as much. Who comes while others write does not wait for
// them.
type cycle struct {
	topics int // guarded by the mutex of Groups

	mu    sync.Mutex
	n     int           // cycles so far
	read  int           // groups that are to read
	busy  int           // groups that are to end their rounds
	began time.Time     // of the first round; zero: none has begun
	most  int           // answers that somebody wrote
	wrote bool          // some do already
	write chan struct{} // closed when read is none; nil: nobody waits
	over  chan struct{} // closed when busy is none; nil: nobody waits
	rest  time.Time     // until then no round begins
}

// A place is where a group is in the cycles, under the care of their mutex.
type place struct {
	last int  // the cycle of its last round
	in   bool // it is counted
}

// enter notes that a group is to have a round, before it has the processor. One
// that has had its round waits for the next cycle, in begin.
func (c *cycle) enter(p *place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open(p) {
		c.count(p)
	}
}

// open tells whether p may be in the cycle. It is called with the mutex held.
func (c *cycle) open(p *place) bool { return c.busy == 0 || p.last != c.n }

// count is called with the mutex held.
func (c *cycle) count(p *place) {
	if c.busy == 0 {
		c.n++
		c.began, c.wrote, c.most = time.Time{}, false, 0
	}
	c.read++
	c.busy++
	p.in, p.last = true, c.n
}

// begin waits until a group may have a round: it is to read.
func (c *cycle) begin(p *place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !p.in {
		if !c.open(p) {
			c.wait(&c.over)
		}
		c.count(p)
	}
	now := time.Now()
	for ; c.rest.After(now); now = time.Now() {
		c.mu.Unlock()
		time.Sleep(c.rest.Sub(now))
		c.mu.Lock()
	}
	if c.began.IsZero() {
		c.began = now
	}
}

// turn waits until the others have read too: it is to write.
func (c *cycle) turn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.read--; {
	case c.read == 0:
		c.wrote = true
		tell(&c.write)
	case !c.wrote:
		c.wait(&c.write)
	}
}

// end ends a group's round, in which it wrote some answers.
func (c *cycle) end(p *place, answers int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.in = false
	c.most = max(c.most, answers)
	if c.busy--; c.busy > 0 {
		return
	}
	tell(&c.over)
	now := time.Now()
	if took := now.Sub(c.began); took >= longCycle && c.most >= manyAnswers {
		c.rest = now.Add(min(took, maxRest))
	}
}

// wait waits until tell is called, for maxWait at most. It is called with the
// mutex held.
func (c *cycle) wait(signal *chan struct{}) {
	if *signal == nil {
		*signal = make(chan struct{})
	}
	told := *signal
	c.mu.Unlock()
	late := time.NewTimer(maxWait)
	select {
	case <-told:
	case <-late.C:
	}
	late.Stop()
	c.mu.Lock()
}

// tell wakes all who wait.
func tell(signal *chan struct{}) {
	if *signal != nil {
		close(*signal)
		*signal = nil
	}
}
