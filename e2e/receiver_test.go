package e2e_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hark-events/hark/internal/testkit"
)

// secretUpdate is the id of the event definition secret:update, the same on every hark.
const secretUpdate = "01980000-0000-7000-8000-000000000011"

// A receiver is a subscriber made of other people's software: a script that
// prints a line of JSON for each delivery that it takes.
type receiver struct {
	*terminal
	Endpoint, TokenURL string
}

// A received is what a receiver prints of a delivery.
type received struct {
	Kind       string // of the credentials
	DeliveryID string
	EventType  string
	Attempt    int
	Payload    string // of a WebSocket, the whole message
	Headers    map[string]string

	Connection, Protocol string // of a WebSocket
}

// receive starts a receiver.
func receive(t *testing.T, script string, args ...string) *receiver {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "node", append([]string{script}, args...)...) // ended by open
	r := &receiver{terminal: open(t, script, cmd)}
	r.shows(`"tokenUrl":`, 1)
	for _, line := range r.lines() {
		if err := json.Unmarshal([]byte(line), r); err != nil {
			t.Fatalf("%s prints %s", script, line)
		}
	}
	return r
}

// lines are those of JSON; libraries have their say on stderr.
func (r *receiver) lines() (found []string) {
	text, _ := r.read()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "{") && strings.HasSuffix(line, "\n") {
			found = append(found, line)
		}
	}
	return found
}

// took lists the deliveries that the receiver took with one kind of credentials.
func (r *receiver) took(kind string) (found []received) {
	r.t.Helper()
	for _, line := range r.lines() {
		var d received
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			r.t.Fatalf("%s prints %s", r.name, line)
		}
		if d.Kind == kind {
			found = append(found, d)
		}
	}
	return found
}

// deliveries are those that the receiver took last, by the kind of their credentials.
func (r *receiver) deliveries() map[string]received {
	r.t.Helper()
	found := make(map[string]received)
	for _, kind := range []string{"basic", "jwt", "oauth2", "apiKey"} {
		for _, d := range r.took(kind) {
			found[kind] = d
		}
	}
	return found
}

// subscription is what create and look give.
type subscription struct {
	ID            string
	Health        string
	Deliveries    struct{ Nodes []callback }
	signingSecret string
}

type callback struct {
	ID, Status string
	Attempts   []struct {
		StatusCode   *int
		Error        string
		ResponseBody string
	}
}

// subscribe brings secret:update to a receiver with one kind of credentials;
// more goes into the input.
func (r *receiver) subscribe(node *testkit.Node, protocol, kind string, more testkit.Vars) *subscription {
	r.t.Helper()
	auth := map[string]testkit.Vars{
		"basic":  {"username": "aladdin", "password": "open sesame"},
		"jwt":    {"token": "jwt-of-the-test"},
		"oauth2": {"clientId": "hark", "clientSecret": "client-secret-of-the-test", "tokenUrl": r.TokenURL},
		"apiKey": {"headerName": "X-API-Key", "key": "key-of-the-test"},
	}[kind]
	type data struct {
		CreateEventSubscription struct {
			SigningSecret     string
			EventSubscription subscription
		}
	}
	input := testkit.Vars{
		"eventDefinitionIds": []string{secretUpdate}, "subscriberService": "by " + kind, "callbackProtocol": protocol,
		"deliveryEndpoint": r.Endpoint, "auth": testkit.Vars{kind: auth}, "retryPolicy": testkit.Vars{"scheduleSeconds": []int{1, 1, 1, 1, 1}},
	}
	maps.Copy(input, more)
	made := testkit.MustCall[data](r.t, node.Admin(), `mutation($input: CreateEventSubscriptionInput!) {
		createEventSubscription(input: $input) { signingSecret eventSubscription { id health } }
	}`, testkit.Vars{"input": input}).CreateEventSubscription
	s := made.EventSubscription
	s.signingSecret = made.SigningSecret
	return &s
}

// settled waits until the subscription has n deliveries, all of them SUCCEEDED.
func (s *subscription) settled(t *testing.T, node *testkit.Node, n int) {
	t.Helper()
	until(t, "the deliveries do not succeed", func(ctx context.Context) bool {
		var found struct{ EventSubscription subscription }
		if err := node.Admin().Call(ctx, `query($id: UUID!) { eventSubscription(id: $id) { health deliveries { nodes { id status attempts { statusCode error responseBody } } } } }`,
			testkit.Vars{"id": s.ID}, &found); err != nil {
			t.Fatal(err)
		}
		s.Health, s.Deliveries = found.EventSubscription.Health, found.EventSubscription.Deliveries
		succeeded := 0
		for _, d := range s.Deliveries.Nodes {
			if d.Status == "SUCCEEDED" {
				succeeded++
			}
		}
		return succeeded == n && len(s.Deliveries.Nodes) == n
	})
}

// verify checks the signature in headers with a library of Standard Webhooks.
func (s *subscription) verify(t *testing.T, body string, headers map[string]string) {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(s.signingSecret)
	if err != nil {
		t.Fatal(err)
	}
	h := make(http.Header)
	for name, value := range headers {
		h.Set(name, value)
	}
	if err := verifier.Verify([]byte(body), h); err != nil {
		t.Error(err)
	}
}

// publishUpdate publishes one secret:update with payload.
func publishUpdate(t *testing.T, node *testkit.Node, payload string) {
	t.Helper()
	if out, errs, code := publish(t, node, event("/app", payload)); code != 0 {
		t.Fatalf("publish: exit code %d\n%s%s", code, out, errs)
	}
}
