// Package pubsubtest is the conformance suite of brokers.
package pubsubtest

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/pubsub"
)

// Patience is how long the suite waits for an announcement before it fails.
const Patience = 20 * time.Second

// Run checks what pubsub.Broker promises on two brokers of one network, as
// connect makes them for each test. connect closes them with the test; a
// network of one node gives the same broker twice.
func Run(t *testing.T, connect func(t *testing.T) (a, b pubsub.Broker)) {
	for name, test := range map[string]func(t *testing.T, a, b pubsub.Broker){
		"every field arrives":          everyField,
		"in order":                     inOrder,
		"at once on the same node":     atOnce,
		"of one project only":          oneProject,
		"to every subscription":        everySubscription,
		"not after cancel":             afterCancel,
		"more than one message can be": large,
		"coming and going":             comingAndGoing,
		"closed":                       closed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := connect(t)
			test(t, a, b)
		})
	}
}

// Event makes an event of project with a payload of size bytes.
func Event(project hark.ID, sequence int64, size int) *hark.Event {
	return &hark.Event{
		ID: hark.NewID(), ProjectID: project, Sequence: sequence, DefinitionID: hark.NewID(),
		Kind:        hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
		Environment: "dev", Path: fmt.Sprintf("/app/%d", sequence), Actor: "ci", IdempotencyKey: fmt.Sprint("key-", sequence),
		Payload:    hark.JSON(`"` + string(bytes.Repeat([]byte("x"), max(size-2, 0))) + `"`),
		OccurredAt: hark.Now() - 7, PublishedAt: hark.Now(),
	}
}

// An Ear is a subscription that keeps what it hears.
type Ear struct {
	Cancel func()
	heard  chan *hark.Event
}

// Listen subscribes at to, and waits until an announcement of from arrives there.
func Listen(t *testing.T, from, to pubsub.Broker, project hark.ID) *Ear {
	t.Helper()
	probe := Event(project, 1, 2)
	probe.ResourceType = "probe"
	e := &Ear{heard: make(chan *hark.Event, 1<<16)}
	ready := make(chan struct{})
	var once sync.Once
	e.Cancel = to.Subscribe(project, func(events []*hark.Event) {
		for _, event := range events {
			switch {
			case event.ID == probe.ID:
				once.Do(func() { close(ready) })
			case event.ResourceType != "probe": // another Listen's
				e.heard <- event
			}
		}
	})
	t.Cleanup(e.Cancel)
	try := time.NewTicker(10 * time.Millisecond)
	defer try.Stop()
	deadline := time.After(Patience)
	for {
		from.Publish(project, []*hark.Event{probe})
		select {
		case <-ready:
			return e
		case <-try.C:
		case <-deadline:
			t.Fatal("no announcement arrived")
		}
	}
}

// Next waits for the next event.
func (e *Ear) Next(t *testing.T) *hark.Event {
	t.Helper()
	select {
	case event := <-e.heard:
		return event
	case <-time.After(Patience):
		t.Fatal("no announcement arrived")
		return nil
	}
}

// Waiting is how many events have been heard and not been taken by Next.
func (e *Ear) Waiting() int { return len(e.heard) }

func everyField(t *testing.T, a, b pubsub.Broker) {
	project := hark.NewID()
	ear := Listen(t, a, b, project)
	full := Event(project, 1<<40, 100)
	full.Payload = hark.JSON("{\"b\": 1.0,\n \"a\":\"<\u2028\"}")
	empty := &hark.Event{ProjectID: project, Sequence: 1<<40 + 1, OccurredAt: -1}
	a.Publish(project, []*hark.Event{full, empty})
	for _, want := range []*hark.Event{full, empty} {
		if got := ear.Next(t); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

func inOrder(t *testing.T, a, b pubsub.Broker) {
	project := hark.NewID()
	ear := Listen(t, a, b, project)
	const n = 5000
	for s := int64(1); s <= n; {
		var batch []*hark.Event
		for range s%7 + 1 {
			batch = append(batch, Event(project, s, 50))
			s++
		}
		a.Publish(project, batch)
	}
	for s := int64(1); s <= n; s++ {
		if e := ear.Next(t); e.Sequence != s {
			t.Fatalf("got sequence %d, want %d", e.Sequence, s)
		}
	}
}

func atOnce(t *testing.T, a, _ pubsub.Broker) {
	project := hark.NewID()
	var heard []*hark.Event
	defer a.Subscribe(project, func(events []*hark.Event) { heard = append(heard, events...) })()
	e := Event(project, 1, 10)
	a.Publish(project, []*hark.Event{e})
	if len(heard) != 1 || heard[0] != e {
		t.Errorf("heard %v before Publish returned, want the very event", heard)
	}
}

func oneProject(t *testing.T, a, b pubsub.Broker) {
	one, other := hark.NewID(), hark.NewID()
	ear, otherEar := Listen(t, a, b, one), Listen(t, a, b, other)
	a.Publish(other, []*hark.Event{Event(other, 1, 10)})
	a.Publish(one, []*hark.Event{Event(one, 2, 10)})
	if e := ear.Next(t); e.ProjectID != one || e.Sequence != 2 {
		t.Errorf("heard %+v of another project", e)
	}
	if e := otherEar.Next(t); e.ProjectID != other {
		t.Errorf("heard %+v of another project", e)
	}
}

func everySubscription(t *testing.T, a, b pubsub.Broker) {
	project := hark.NewID()
	ears := []*Ear{Listen(t, a, b, project), Listen(t, a, b, project), Listen(t, b, a, project)}
	e := Event(project, 2, 10)
	a.Publish(project, []*hark.Event{e})
	for _, ear := range ears {
		if got := ear.Next(t); got.ID != e.ID {
			t.Errorf("heard %+v, want %+v", got, e)
		}
	}
	for i, ear := range ears {
		if ear.Waiting() > 0 {
			t.Errorf("subscription %d heard more than was announced", i)
		}
	}
}

func afterCancel(t *testing.T, a, b pubsub.Broker) {
	project := hark.NewID()
	gone, stays := Listen(t, a, b, project), Listen(t, a, b, project)
	gone.Cancel()
	gone.Cancel()
	a.Publish(project, []*hark.Event{Event(project, 2, 10)})
	stays.Next(t)
	if gone.Waiting() > 0 {
		t.Error("heard something after cancel")
	}
}

func large(t *testing.T, a, b pubsub.Broker) {
	project := hark.NewID()
	ear := Listen(t, a, b, project)
	var batch []*hark.Event
	for s := int64(1); s <= 12; s++ {
		batch = append(batch, Event(project, s, hark.MaxPayload))
	}
	a.Publish(project, batch)
	for _, want := range batch {
		if got := ear.Next(t); !reflect.DeepEqual(got, want) {
			t.Fatalf("sequence %d arrived as %d, or changed", want.Sequence, got.Sequence)
		}
	}
}

func comingAndGoing(t *testing.T, a, b pubsub.Broker) {
	project := hark.NewID()
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			for s := range int64(50) {
				cancel := b.Subscribe(project, func([]*hark.Event) {})
				a.Publish(project, []*hark.Event{Event(project, s+1, 10)})
				cancel()
			}
		})
	}
	g.Wait()
	ear := Listen(t, a, b, project)
	e := Event(project, 99, 10)
	a.Publish(project, []*hark.Event{e})
	for ear.Next(t).ID != e.ID { // what was announced before may still be on its way
	}
}

func closed(t *testing.T, a, b pubsub.Broker) {
	project := hark.NewID()
	ear := Listen(t, a, b, project)
	if err := a.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	for _, broker := range []pubsub.Broker{b, b, a} {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	}
	a.Publish(project, []*hark.Event{Event(project, 2, 10)})
	b.Subscribe(project, func([]*hark.Event) {})()
	if ear.Waiting() > 0 {
		t.Error("heard something after Close")
	}
}
