package server_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server"
	"github.com/hark-events/hark/stream"
)

// openWith gives the payload of connection_init more.
func (s *socket) openWith(more string) string {
	s.t.Helper()
	s.say(`{"type":"connection_init","payload":{"authorization":"Bearer ` + alice + `",` + more + `}}`)
	return s.acknowledged()
}

func (s *socket) next(id string, e *hark.Event) string {
	return `{"id":"` + id + `","type":"next","payload":` + result(e) + `}`
}

// A client that lost its connection and starts the same operations again gets
// what it missed, and nothing twice.
func TestSessionIsResumed(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-transport-ws")
	s.say(initMessage)
	session := s.acknowledged()
	s.say(sub("a", live), sub("b", live))
	f.members(t, 2)
	one := f.log.append("1")
	for range 2 {
		if got := s.hear(); got != s.next("a", one) && got != s.next("b", one) {
			t.Fatal(got)
		}
	}
	_ = s.CloseNow()
	f.members(t, 0)
	two := f.log.append("2")

	again := f.dial(t, "graphql-transport-ws")
	session = again.openWith(`"session":"` + session + `"`)
	again.say(sub("a", live))
	again.want(again.next("a", two))
	again.say(sub("c", live)) // an id that was not there begins now
	f.members(t, 2)
	three := f.log.append("3")
	for range 2 {
		if got := again.hear(); got != again.next("a", three) && got != again.next("c", three) {
			t.Fatal(got)
		}
	}

	// Before hark has noticed that the connection is lost; b has waited all the time.
	third := f.dial(t, "graphql-transport-ws")
	third.openWith(`"session":"` + session + `"`)
	third.say(sub("b", live))
	third.want(third.next("b", two), third.next("b", three))
	third.say(sub("a", live), sub("b2", live))
	f.members(t, 3)
	four := f.log.append("4")
	heard := map[string]bool{}
	for range 3 {
		heard[third.hear()] = true
	}
	if !heard[third.next("a", four)] || !heard[third.next("b", four)] || !heard[third.next("b2", four)] {
		t.Error(heard)
	}
}

// A client that keeps its cursors has had nothing of an operation that it names
// none for, whatever hark has written: that was lost on its way.
func TestWhatWasOnItsWayComesAgain(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-transport-ws")
	s.say(initMessage)
	session := s.acknowledged()
	s.say(sub("a", live), sub("b", live))
	f.members(t, 2)
	one := f.log.append("1")
	for range 2 {
		s.hear() // what the client has not kept, as if it had not come
	}
	for range 2 { // and once more, before anything has come
		_ = s.CloseNow()
		f.members(t, 0)
		s = f.dial(t, "graphql-transport-ws")
		session = s.openWith(`"session":"` + session + `","cursors":{"a":"` + one.Cursor().String() + `"}`)
	}
	s.say(sub("b", live))
	s.want(s.next("b", one))
	s.say(sub("a", live))
	f.members(t, 2)
	two := f.log.append("2")
	heard := map[string]bool{s.hear(): true, s.hear(): true}
	if !heard[s.next("a", two)] || !heard[s.next("b", two)] {
		t.Error(heard)
	}
}

func TestSessionIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-transport-ws")
	s.say(initMessage)
	session := s.acknowledged()
	s.say(sub("a", live))
	f.members(t, 1)
	one := f.log.append("1")
	s.want(s.next("a", one))

	other := f.dial(t, "graphql-transport-ws")
	other.say(`{"type":"connection_init","payload":{"authorization":"Bearer ` + bob + `","session":"` + session + `"}}`)
	other.acknowledged()
	two := f.log.append("2") // the first one goes on
	s.want(s.next("a", two))
}

// A client that has not heard connection_ack comes back with its old session.
func TestSessionHoldsUntilThereIsANewOne(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*server.Config){
		"one node":   func(*server.Config) {},
		"many nodes": func(c *server.Config) { c.Notes = &board{notes: map[string][]byte{}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, edit)
			s := f.dial(t, "graphql-transport-ws")
			s.say(initMessage)
			session := s.acknowledged()
			s.say(sub("a", live))
			f.members(t, 1)
			s.want(s.next("a", f.log.append("1")))
			for range 2 { // of whom hark hears nothing more
				_ = s.CloseNow()
				s = f.dial(t, "graphql-transport-ws")
				s.openWith(`"session":"` + session + `"`)
			}
			missed := f.log.append("2")
			s.say(sub("a", live))
			s.want(s.next("a", missed))
			f.members(t, 1)

			eventually(t, func() bool { // it is worth nothing any more
				again := f.dial(t, "graphql-transport-ws")
				again.openWith(`"session":"` + session + `"`)
				again.say(sub("a", live))
				f.members(t, 2)
				e := f.log.append("3")
				got := again.hear()
				_ = again.CloseNow()
				f.members(t, 1)
				return got == again.next("a", e)
			})
		})
	}
}

// A board holds notes of all nodes.
type board struct {
	mu    sync.Mutex
	notes map[string][]byte
}

func (b *board) PutNote(_ context.Context, name string, note []byte, stays time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes[name] = note
	return nil
}

func (b *board) Note(_ context.Context, name string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.notes[name], nil
}

func (b *board) DropNote(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.notes, name)
	return nil
}

// A node that stops leaves its sessions to the others.
func TestSessionIsResumedElsewhere(t *testing.T) {
	t.Parallel()
	b := &board{notes: map[string][]byte{}}
	shared := func(c *server.Config) { c.Notes = b }
	f := start(t, shared)
	s := f.dial(t, "graphql-transport-ws")
	s.say(initMessage)
	session := s.acknowledged()
	s.say(sub("a", live))
	f.members(t, 1)
	one := f.log.append("1")
	s.want(s.next("a", one))
	f.server.Drain()
	s.closed(1012)
	two := f.log.append("2")

	other := &fixture{access: f.access, log: f.log, groups: stream.NewGroups(), lines: &lines{}}
	other.server = other.newServer(shared)
	other.Server = httptest.NewServer(other.server)
	defer other.Close()
	defer other.server.Drain()
	again := other.dial(t, "graphql-transport-ws")
	again.openWith(`"session":"` + session + `"`)
	again.say(sub("a", live))
	again.want(again.next("a", two))
}

// A client that keeps its cursors goes on at any node, whatever became of the other.
func TestCursorsResume(t *testing.T) {
	t.Parallel()
	f := start(t)
	one, two := f.log.append("1"), f.log.append("2")
	s := f.dial(t, "graphql-transport-ws")
	s.openWith(`"session":"of a node that is gone","cursors":{"a":"` + one.Cursor().String() + `","b":"expired"}`)
	s.say(sub("a", live))
	s.want(s.next("a", two))
	s.say(sub("b", live))
	if got := s.hear(); !strings.Contains(got, `"id":"b","type":"error"`) || !strings.Contains(got, "CURSOR_EXPIRED") || !strings.Contains(got, `"oldestCursor":"`) {
		t.Error(got)
	}
}

// A cursor means the same at every door.
func TestResumeAcrossTransports(t *testing.T) {
	t.Parallel()
	f := start(t)
	one, two := f.log.append("1"), f.log.append("2")
	cursor := regexp.MustCompile(`"cursor":"([^"]+)"`)
	after := func(query string) string { return fmt.Sprintf(query, one.Cursor()) }
	const argument = `subscription{projectEvents(filter:{},after:\"%s\"){sequence}}`

	got := map[string]string{}
	ws := f.dial(t, "graphql-transport-ws")
	ws.init()
	ws.say(`{"id":"1","type":"subscribe","payload":{"query":"` + after(argument) + `"}}`)
	got["WebSocket"] = ws.hear()
	old := f.dial(t, "graphql-ws")
	old.say(initMessage)
	old.want(`{"type":"connection_ack"}`, `{"type":"ka"}`)
	old.say(`{"id":"1","type":"start","payload":{"query":"` + after(argument) + `"}}`)
	got["older WebSocket"] = old.hear()
	sse := f.sse(t, "/graphql", `{"query":"`+after(argument)+`"}`)
	sse.begun()
	got["SSE"] = sse.frame()
	header := f.sse(t, "/graphql", `{"query":"subscription{projectEvents(filter:{}){sequence}}"}`, "Last-Event-ID", one.Cursor().String())
	header.begun()
	got["SSE by Last-Event-ID"] = header.frame()
	parts := f.multipart(t, `{"query":"`+after(argument)+`"}`)
	parts.want(`{}`)
	got["multipart"] = parts.part()
	for name, frame := range got {
		if m := cursor.FindStringSubmatch(frame); m == nil || m[1] != two.Cursor().String() {
			t.Errorf("%s: %s", name, frame)
		}
	}
	plain := f.sse(t, projectEvents, `{"projectId":"p","register":[{"event":"secret:update"}]}`, "Last-Event-ID", one.Cursor().String())
	if frame := plain.frame(); !strings.HasPrefix(frame, "id: "+two.Cursor().String()+"\n") {
		t.Error(frame)
	}
}
