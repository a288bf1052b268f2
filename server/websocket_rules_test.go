package server_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// The rules of graphql-transport-ws (graphql-ws PROTOCOL.md) that leave the
// connection open. Each ends with a ping, so that nothing can follow unseen.
func TestSocketRules(t *testing.T) {
	t.Parallel()
	f := start(t)
	errorOf := func(id, code string) string {
		return `^{"id":"` + id + `","type":"error","payload":\[{"message":"[^"]+".*"code":"` + code + `"`
	}
	const queryVar = `{"id":"1","type":"subscribe","payload":{"query":"query($id:UUID!){event(id:$id){id}}","variables":%s}}`
	for name, tt := range map[string]struct{ say, want []string }{
		"ping before init": {[]string{`{"type":"ping","payload":{"n": 1}}`}, []string{`^{"type":"pong","payload":{"n": 1}}$`}},
		"ping without a payload, before init": {
			[]string{`{"type":"ping"}`}, []string{`^{"type":"pong"}$`},
		},
		"a pong that nobody asked for": {[]string{`{"type":"pong"}`, initMessage, `{"type":"pong","payload":{}}`}, []string{`connection_ack`}},
		"null as payload":              {[]string{`{"type":"ping","payload":null}`}, []string{`^{"type":"pong"(,"payload":null)?}$`}},
		"a query": {
			[]string{initMessage, sub("1", "{__typename}")},
			[]string{`connection_ack`, `^{"id":"1","type":"next","payload":{"data":{"__typename":"Query"}}}$`, `^{"id":"1","type":"complete"}$`},
		},
		"a mutation": {
			[]string{initMessage, sub("1", `mutation{publishEvents(input:{sourceService:"a",resourceType:"b",operationType:"c",payload:1}){duplicates}}`)},
			[]string{`connection_ack`, `^{"id":"1","type":"next","payload":{"data":{"publishEvents":{"duplicates":`, `complete`},
		},
		"extensions, and null where something may be left out": {
			[]string{initMessage, `{"id":"1","type":"subscribe","payload":{"query":"{__typename}","operationName":null,"variables":null,"extensions":{"a":1}}}`},
			[]string{`connection_ack`, `"next"`, `complete`},
		},
		"a syntax error":     {[]string{initMessage, sub("1", "{")}, []string{`connection_ack`, errorOf("1", "GRAPHQL_PARSE_FAILED")}},
		"a validation error": {[]string{initMessage, sub("1", "{nothing}")}, []string{`connection_ack`, errorOf("1", "GRAPHQL_VALIDATION_FAILED")}},
		"an empty query":     {[]string{initMessage, sub("1", "")}, []string{`connection_ack`, errorOf("1", "BAD_USER_INPUT")}},
		"two root fields": {
			[]string{initMessage, sub("1", "subscription{a:projectEvents(filter:{}){id} b:projectEvents(filter:{}){id}}")},
			[]string{`connection_ack`, errorOf("1", "GRAPHQL_VALIDATION_FAILED")},
		},
		"no root field": {
			[]string{initMessage, sub("1", "subscription{projectEvents(filter:{})@skip(if:true){id}}")},
			[]string{`connection_ack`, errorOf("1", "GRAPHQL_VALIDATION_FAILED")},
		},
		"a variable is missing": {[]string{initMessage, fmt.Sprintf(queryVar, `{}`)}, []string{`connection_ack`, errorOf("1", "BAD_USER_INPUT")}},
		"a variable is wrong":   {[]string{initMessage, `{"id":"1","type":"subscribe","payload":{"query":"query($n:Int){projects(first:$n){totalCount}}","variables":{"n":"x"}}}`}, []string{`connection_ack`, errorOf("1", "BAD_USER_INPUT")}},
		"a cursor is wrong": {
			[]string{initMessage, sub("1", `subscription{projectEvents(filter:{},after:"x"){id}}`)},
			[]string{`connection_ack`, errorOf("1", "BAD_USER_INPUT")},
		},
		"an error leaves the id free": {
			[]string{initMessage, sub("1", "{"), sub("2", "{__typename}")},
			[]string{`connection_ack`, `error|"id":"2"`, `error|"id":"2"`, `error|"id":"2"`},
		},
		"complete for an id that is not there": {[]string{initMessage, `{"id":"x","type":"complete"}`}, []string{`connection_ack`}},
		"complete is not echoed":               {[]string{initMessage, sub("1", live), `{"id":"1","type":"complete"}`}, []string{`connection_ack`}},
		"an id is free at once": {
			[]string{initMessage, sub("1", live), `{"id":"1","type":"complete"}`, sub("1", live), `{"id":"1","type":"complete"}`}, []string{`connection_ack`},
		},
		"the token may be spelled in any case": {[]string{strings.Replace(initMessage, "authorization", "Authorization", 1)}, []string{`connection_ack`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := f.dial(t, "graphql-transport-ws")
			s.say(tt.say...)
			for _, want := range tt.want {
				if got := s.hear(); !regexp.MustCompile(want).MatchString(got) {
					t.Fatalf("\n got %s\nwant %s", got, want)
				}
			}
			s.say(`{"type":"ping","payload":{"last":1}}`)
			s.want(`{"type":"pong","payload":{"last":1}}`)
		})
	}
}

// Queries that are stopped before they begin harm nobody.
func TestQueriesAreStopped(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-transport-ws")
	s.init()
	for range 40 {
		s.say(sub("q", "{viewer{permissions}}"), `{"id":"q","type":"complete"}`)
	}
	s.say(`{"type":"ping"}`)
	for s.hear() != `{"type":"pong"}` {
	}
}

// One operation's error leaves the others alone, and its id is free.
func TestOthersGoOn(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.dial(t, "graphql-transport-ws")
	s.init()
	s.say(sub("a", live))
	f.members(t, 1)
	s.say(sub("b", "{nothing}"))
	if got := s.hear(); !strings.Contains(got, `"id":"b","type":"error"`) {
		t.Error(got)
	}
	s.say(sub("b", live))
	f.members(t, 2)
	one := f.log.append("1")
	heard := map[string]bool{s.hear(): true, s.hear(): true}
	if !heard[s.next("a", one)] || !heard[s.next("b", one)] {
		t.Error(heard)
	}
}
