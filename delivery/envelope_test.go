package delivery_test

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

func sample(payload string) *hark.Delivery {
	at, _ := hark.ParseTime("2026-01-02T03:04:05.678Z")
	return &hark.Delivery{
		ID: hark.MustParseID("01890a5d-ac96-774b-bcce-b302099a8057"), Attempt: 3,
		Event: &hark.Event{
			ID: hark.MustParseID("01890a5d-ac96-774b-bcce-b302099a8058"), ProjectID: hark.MustParseID("01890a5d-ac96-774b-bcce-b302099a8059"),
			Sequence: 42, Kind: hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
			Environment: "staging", Path: "/", Actor: "ci", Payload: hark.JSON(payload), OccurredAt: at, PublishedAt: at,
		},
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	const payload = `{"b":1.50,  "a":"<&>` + "\u2028" + `"}`
	got := string(delivery.AppendJSON(nil, sample(payload)))
	want := `{"id":"01890a5d-ac96-774b-bcce-b302099a8058","deliveryId":"01890a5d-ac96-774b-bcce-b302099a8057","attempt":3,"test":false,` +
		`"projectId":"01890a5d-ac96-774b-bcce-b302099a8059","sequence":42,"sourceService":"secret-manager","resourceType":"secret","operationType":"update",` +
		`"eventType":"secret:update","environment":"staging","path":"/","actor":"ci",` +
		`"occurredAt":"2026-01-02T03:04:05.678Z","publishedAt":"2026-01-02T03:04:05.678Z","payload":` + payload + `}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	d := sample("")
	d.Event.Environment, d.Event.Path, d.Event.Actor = "", "", ""
	got = string(delivery.AppendJSON(nil, d))
	for _, part := range []string{`"environment":null,"path":null,"actor":null,`, `"payload":null}`} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add("a\"b\\c\n\t\x00\x1f<>&é\u2028")
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, path string) {
		d := sample(`[1]`)
		d.Event.Path = path
		var envelope struct{ Path *string }
		if err := json.Unmarshal(delivery.AppendJSON(nil, d), &envelope); err != nil {
			t.Fatal(err)
		}
		want := strings.ToValidUTF8(path, "\uFFFD")
		if path != "" && len([]rune(*envelope.Path)) != len([]rune(path)) && *envelope.Path != want {
			t.Errorf("%q became %q", path, *envelope.Path)
		}
		if !json.Valid(delivery.AppendCloudEvent(nil, d, "default")) {
			t.Error("the CloudEvent is no JSON")
		}
		if err := xml.Unmarshal(delivery.AppendXML(nil, d), new(struct{})); err != nil {
			t.Error(err)
		}
	})
}

func TestXMLKeepsThePayload(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		"{\"a\":\"<&>]]>\",\r\n\t\"b\":\"é😀\"}": "{\"a\":\"<&>]]>\",\r\n\t\"b\":\"é😀\"}",
		"\"\uFFFE\"": `"\ufffe"`, // XML cannot hold it: the same text in JSON's escape
	} {
		var event struct {
			Payload string `xml:"urn:hark:v1 payload"`
		}
		if err := xml.Unmarshal(delivery.AppendXML(nil, sample(payload)), &event); err != nil || event.Payload != want {
			t.Errorf("%q, %v; want %q", event.Payload, err, want)
		}
	}
}

func TestCloudEventStructured(t *testing.T) {
	t.Parallel()
	got := string(delivery.AppendCloudEvent(nil, sample(`{"b":1.50}`), "default"))
	want := `{"specversion":"1.0","id":"01890a5d-ac96-774b-bcce-b302099a8058","source":"/projects/default/secret-manager","type":"secret:update",` +
		`"time":"2026-01-02T03:04:05.678Z","harkproject":"default","harksequence":"42","harkdelivery":"01890a5d-ac96-774b-bcce-b302099a8057",` +
		`"subject":"/","harkenvironment":"staging","datacontenttype":"application/json","data":{"b":1.50}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	d := sample(strings.Repeat(" ", 1<<10) + "1")
	b.ReportAllocs()
	for b.Loop() {
		delivery.AppendJSON(nil, d)
	}
}
