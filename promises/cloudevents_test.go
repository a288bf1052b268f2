package promises

import (
	"context"
	"net/http"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/protocol"
	cloudhttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/hark-events/hark/internal/testkit"
)

// TestCloudEventsSDK publishes with the CloudEvents SDK for Go, in each of its modes.
func TestCloudEventsSDK(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	client, err := cloudevents.NewClientHTTP(
		cloudhttp.WithTarget(n.URL()+"/api/v1/events"),
		cloudhttp.WithHeader("Authorization", "Bearer "+testkit.AdminToken),
	)
	if err != nil {
		t.Fatal(err)
	}
	made := func(id, kind string) cloudevents.Event {
		e := cloudevents.NewEvent()
		e.SetID(id)
		e.SetType(kind)
		e.SetSource("/projects/default/secret-manager")
		e.SetSubject("/app/ü")
		e.SetExtension("harkenvironment", "staging")
		if err := e.SetData(cloudevents.ApplicationJSON, []byte(`{"z":1.0,"a":"<"}`)); err != nil {
			t.Fatal(err)
		}
		return e
	}
	for name, ctx := range map[string]context.Context{
		"binary":     cloudevents.WithEncodingBinary(t.Context()),
		"structured": cloudevents.WithEncodingStructured(t.Context()),
	} {
		if result := client.Send(ctx, made(name, "secret:update")); !cloudevents.IsACK(result) {
			t.Fatal(name, result)
		}
		if result := client.Send(ctx, made(name, "secret:update")); !cloudevents.IsACK(result) { // again: the same event
			t.Fatal(name, result)
		}
		result := client.Send(ctx, made("refused", "unknown:thing"))
		var status *cloudhttp.Result
		if cloudevents.IsACK(result) || !protocol.ResultAs(result, &status) || status.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %v", name, result)
		}
	}

	// A batch is stored whole or not at all.
	send := func(events ...cloudevents.Event) *http.Response {
		r, err := cloudhttp.NewHTTPRequestFromEvents(t.Context(), n.URL()+"/api/v1/events", events)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+testkit.AdminToken)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if resp := send(made("1", "secret:create"), made("2", "unknown:thing")); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Error(resp.Status)
	}
	if resp := send(made("1", "secret:create"), made("2", "secret:create")); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}

	log := readLog(t, n.Admin())
	if len(log) != 4 {
		t.Fatalf("%d events are stored, not 4", len(log))
	}
	type event struct {
		Event struct{ Path, Environment string }
	}
	for _, e := range log {
		got := testkit.MustCall[event](t, n.Admin(), `query($id: UUID!) { event(id: $id) { path environment } }`, testkit.Vars{"id": e.ID}).Event
		if string(e.Payload) != `{"z":1.0,"a":"<"}` || got.Path != "/app/ü" || got.Environment != "staging" {
			t.Errorf("%s %+v", e.Payload, got)
		}
	}

	// As everywhere: no token, and too large a body.
	c := testkit.Client{URL: n.URL()}
	resp, answer, err := c.Post(t.Context(), "/api/v1/events", "{}")
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !strings.Contains(answer, "UnauthorizedError") {
		t.Error(err, answer)
	}
	resp, _, err = n.Admin().Post(t.Context(), "/api/v1/events", strings.Repeat(" ", 2<<20))
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(resp, err)
	}
}
