package pubsub

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hark-events/hark"
)

func sample(n int) []*hark.Event {
	var events []*hark.Event
	for s := range int64(n) {
		events = append(events, &hark.Event{
			ID: hark.NewID(), Sequence: s + 1, DefinitionID: hark.ID{1},
			Kind:        hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
			Environment: "dev", Path: "/app", Payload: hark.JSON(`{"key":"` + strings.Repeat("x", 300) + `"}`), PublishedAt: hark.Now(),
			Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		})
	}
	return events
}

func TestDecode(t *testing.T) {
	t.Parallel()
	node, project := hark.NewID(), hark.NewID()
	good := string(encode(node, sample(3)))
	for name, tt := range map[string]struct {
		message string
		err     error
	}{
		"own":             {string(encode(project, sample(3))), nil},
		"empty":           {"", errMessage},
		"later version":   {"\x03" + good[1:], errVersion},
		"version only":    {"\x02", errMessage},
		"cut":             {good[:len(good)-1], errMessage},
		"with a tail":     {good + "x", errMessage},
		"impossible size": {good[:wireHeader] + "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", errMessage},
		"overlong number": {good[:wireHeader] + strings.Repeat("\xff", 11), errMessage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if events, err := decode(project, project, tt.message); err != tt.err || len(events) > 0 {
				t.Errorf("%d events, %v; want none, %v", len(events), err, tt.err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	node, project := hark.ID{1}, hark.ID{2}
	f.Add(string(encode(node, sample(2))))
	f.Add(string(encode(node, []*hark.Event{{Sequence: 1, OccurredAt: -1}})))
	f.Add("\x02")
	f.Fuzz(func(t *testing.T, m string) {
		events, err := decode(hark.ID{}, project, m)
		if err != nil {
			return
		}
		size := 0
		for _, e := range events {
			size += wireSize(e)
		}
		if max := len(m) + len(events)*wireFixed; size > max {
			t.Fatalf("%d bytes came out of %d", size, len(m))
		}
		if len(m) == 0 || len(events) == 0 {
			return
		}
		again, err := decode(hark.ID{}, project, string(encode(node, events)))
		if err != nil || !reflect.DeepEqual(again, events) {
			t.Fatalf("came back as %v, %v", again, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	events := sample(100)
	b.ReportAllocs()
	for b.Loop() {
		encode(hark.ID{}, events)
	}
}

func BenchmarkDecode(b *testing.B) {
	m := string(encode(hark.ID{1}, sample(100)))
	b.ReportAllocs()
	b.SetBytes(int64(len(m)))
	for b.Loop() {
		if _, err := decode(hark.ID{}, hark.ID{}, m); err != nil {
			b.Fatal(err)
		}
	}
}
